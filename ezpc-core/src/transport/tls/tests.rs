use super::*;
use crate::party::Party;
use crate::transport::handshake::{self, Parameters};
use crate::transport::{Channel, Stats};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Certificates and keys made for these tests by `examples/keygen`, valid for a thousand years.
const SERVER: [&[u8]; 2] = [include_bytes!("tests/server.cert.pem"), include_bytes!("tests/server.key.pem")];
const CLIENT: [&[u8]; 2] = [include_bytes!("tests/client.cert.pem"), include_bytes!("tests/client.key.pem")];
const STRANGER: [&[u8]; 2] =
    [include_bytes!("tests/stranger.cert.pem"), include_bytes!("tests/stranger.key.pem")];
/// `office` and `clinic` are certified by `authority`.
const AUTHORITY: &[u8] = include_bytes!("tests/authority.cert.pem");
const OFFICE: [&[u8]; 2] = [include_bytes!("tests/office.cert.pem"), include_bytes!("tests/office.key.pem")];
const CLINIC: [&[u8]; 2] = [include_bytes!("tests/clinic.cert.pem"), include_bytes!("tests/clinic.key.pem")];

fn identity([certificate, key]: [&[u8]; 2]) -> Identity {
    Identity::from_pem(certificate, key).expect("made by keygen")
}

/// The side of `own` that trusts the holder of `peer`.
fn pinned(own: [&[u8]; 2], peer: [&[u8]; 2]) -> Tls {
    Tls::new(&identity(own), Trust::pinned(peer[0]).expect("a certificate")).expect("key and certificate fit")
}

fn certified(own: [&[u8]; 2], name: &str) -> Tls {
    Tls::new(&identity(own), Trust::certified(AUTHORITY, name).expect("an authority")).expect("they fit")
}

/// What both ends get of a connection, and everybody the listening end sent away.
fn connect_both(
    listening: &Tls,
    connecting: &Tls,
) -> (Result<TlsTransport>, Result<TlsTransport>, Vec<Error>) {
    let listener = Listener::bind("127.0.0.1:0", listening).expect("a free port");
    let address = listener.local_address().to_string();
    thread::scope(|scope| {
        let client = scope.spawn(move || connect(&address, connecting, TIMEOUT));
        let mut refused = Vec::new();
        let server = listener.accept(Duration::from_millis(1500), |error| {
            refused.push(Error::new(error.kind(), error.to_string()));
        });
        (server, client.join().expect("no panic"), refused)
    })
}

fn connected() -> [TlsTransport; 2] {
    let (server, client, _) = connect_both(&pinned(SERVER, CLIENT), &pinned(CLIENT, SERVER));
    [server.expect("trusted"), client.expect("trusted")]
}

#[test]
fn both_ends_name_the_connection_and_each_other() {
    let [server, client] = connected();
    assert_eq!(server.peer_fingerprint(), identity(CLIENT).fingerprint());
    assert_eq!(client.peer_fingerprint(), identity(SERVER).fingerprint());
    assert_eq!(server.binding(), client.binding());
    let [other, _client] = connected();
    assert_ne!(server.binding(), other.binding(), "another connection of the same parties");
}

#[test]
fn sessions_are_bound_to_the_connection() {
    // The same hellos over two connections: different sessions. Both sides agree on each.
    let open = || {
        let [server, client] = connected();
        let run = |transport, party| {
            let mut channel = Channel::new(transport, party, TIMEOUT)?;
            handshake::open(&mut channel, &Parameters::new(), [7; 16])
        };
        thread::scope(|scope| {
            let client = scope.spawn(move || run(client, Party::Client));
            let server = run(server, Party::Server).expect("an honest peer");
            assert_eq!(server, client.join().expect("no panic").expect("an honest peer"));
            server
        })
    };
    assert_ne!(open(), open());
}

#[test]
fn both_directions_carry_any_amount_at_the_same_time() {
    let [server, client] = connected();
    let run = |transport, party| -> Result<Stats> {
        let mut channel = Channel::new(transport, party, TIMEOUT)?;
        for len in [1, 16 << 10, 3_000_000, 0, 10_000_000, 7] {
            let own = u8::from(party == Party::Client);
            let received = channel.exchange(vec![own; len], len)?;
            assert!(received.iter().all(|byte| *byte == 1 - own));
        }
        let stats = channel.stats().clone();
        channel.close()?;
        Ok(stats)
    };
    thread::scope(|scope| {
        let client = scope.spawn(move || run(client, Party::Client));
        let server = run(server, Party::Server).expect("an honest peer");
        let client = client.join().expect("no panic").expect("an honest peer");
        assert_eq!(server.total().bytes_sent, client.total().bytes_received);
    });
}

#[test]
fn strangers_are_refused_at_both_ends() {
    // The listening end does not know the connecting one, which notices at the first message.
    let (server, client, refused) = connect_both(&pinned(SERVER, CLIENT), &pinned(STRANGER, SERVER));
    let error = server.expect_err("nobody trusted came");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("the peer is not trusted"), "{error}");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].kind(), ErrorKind::Handshake);
    let mut channel = Channel::new(client.expect("TLS is done here"), Party::Client, TIMEOUT).expect("TCP");
    let error = channel.receive_only(1).expect_err("we were refused");
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.to_string().ends_with("the peer does not trust this party's certificate"), "{error}");

    // The connecting end does not know the listening one.
    let (_, client, refused) = connect_both(&pinned(SERVER, CLIENT), &pinned(CLIENT, STRANGER));
    let error = client.expect_err("this is not the stranger");
    assert_eq!(error.kind(), ErrorKind::Handshake);
    assert!(error.to_string().contains("the peer is not trusted"), "{error}");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].to_string().ends_with("does not trust this party's certificate"), "{}", refused[0]);
}

#[test]
fn an_authority_vouches_for_names() {
    let (server, client, _) =
        connect_both(&certified(OFFICE, "clinic.example"), &certified(CLINIC, "office.example"));
    assert_eq!(server.expect("certified").binding(), client.expect("certified").binding());
    // A valid certificate of the authority, for somebody else.
    let (server, _, refused) =
        connect_both(&certified(OFFICE, "office.example"), &certified(CLINIC, "office.example"));
    assert_eq!(server.expect_err("not the office").kind(), ErrorKind::Timeout);
    assert_eq!(refused[0].kind(), ErrorKind::Handshake);
    let (_, client, _) =
        connect_both(&certified(OFFICE, "clinic.example"), &certified(CLINIC, "clinic.example"));
    assert_eq!(client.expect_err("not the clinic").kind(), ErrorKind::Handshake);
    // No certificate of the authority.
    let (server, _, refused) = connect_both(&certified(OFFICE, "clinic.example"), &pinned(STRANGER, OFFICE));
    assert_eq!(server.expect_err("not certified").kind(), ErrorKind::Timeout);
    assert_eq!(refused[0].kind(), ErrorKind::Handshake);
}

/// Everybody else who connects learns nothing and disturbs nothing: the peer still gets in.
#[test]
fn third_processes_do_not_disturb() {
    let listener = Listener::bind("127.0.0.1:0", &pinned(SERVER, CLIENT)).expect("a free port");
    let address = listener.local_address().to_string();
    let (ready, go) = mpsc::channel();
    thread::scope(|scope| {
        let place = address.clone();
        let strangers = scope.spawn(move || {
            // More silent connections than there is room for, nonsense, an endless record, another protocol, an ezpc
            // peer without TLS, one who hangs up, and a stranger with a certificate.
            let mut open: Vec<TcpStream> =
                (0..40).map(|_| TcpStream::connect(&*place).expect("it listens")).collect();
            let endless = [&[0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 1 << 17]].concat();
            for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 1000], &endless, b"\x89ezpc\r\n\x1a\x01\0\0\0"]
            {
                let mut stream = TcpStream::connect(&*place).expect("it listens");
                // The listener may hang up before it has everything.
                let _ = stream.write_all(bytes);
                stream.set_read_timeout(Some(Duration::from_secs(5))).expect("TCP");
                let mut told = Vec::new();
                let _ = stream.shutdown(Shutdown::Write).and_then(|()| stream.read_to_end(&mut told));
                assert!(told.len() <= 7, "at most an alert: {told:?}");
                open.push(stream);
            }
            drop(TcpStream::connect(&*place).expect("it listens"));
            drop(connect(&place, &pinned(STRANGER, SERVER), TIMEOUT));
            ready.send(()).expect("it is waited for");
            open
        });
        let client = scope.spawn(move || {
            go.recv().expect("the strangers were there");
            connect(&address, &pinned(CLIENT, SERVER), TIMEOUT)
        });
        let mut refused = 0;
        let server = listener.accept(TIMEOUT, |_| refused += 1).expect("the peer came through");
        let client = client.join().expect("no panic").expect("trusted");
        assert_eq!(server.binding(), client.binding());
        assert!(refused >= 5, "{refused}");
        strangers.join().expect("no panic");
    });
}

#[test]
fn a_cut_is_told_from_a_good_bye() {
    // A good-bye.
    let [server, client] = connected();
    let (mut read, _keep) = server.split().expect("TCP");
    let (_, mut write) = client.split().expect("TCP");
    write.write_all(b"last words").expect("there is room");
    drop(write);
    let mut text = String::new();
    read.read_to_string(&mut text).expect("the end is no error");
    assert_eq!(text, "last words");

    // Somebody on the way ends the stream.
    let [server, client] = connected();
    let (mut read, _keep) = server.split().expect("TCP");
    client.shutdown();
    let error = read.read(&mut [0]).expect_err("no good-bye");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Whoever changes a byte on the way ends the connection.
#[test]
fn a_changed_byte_is_noticed() {
    let [server, client] = connected();
    let (mut read, _keep) = server.split().expect("TCP");
    let mut raw = client.tcp.connection().try_clone().expect("TCP");
    // A record that nobody encrypted.
    raw.write_all(&[0x17, 3, 3, 0, 32]).and_then(|()| raw.write_all(&[7; 32])).expect("there is room");
    let error = read.read(&mut [0; 10]).expect_err("not authentic");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_silent_peer_times_out() {
    let [server, _client] = connected();
    let mut channel = Channel::new(server, Party::Server, Duration::from_millis(50)).expect("TCP");
    assert_eq!(channel.receive_only(1).expect_err("nothing comes").kind(), ErrorKind::Timeout);

    // A listener that never answers the handshake.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("it has one").to_string();
    let tls = pinned(CLIENT, SERVER);
    let error = connect(&address, &tls, Duration::from_millis(50)).expect_err("nothing comes");
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[test]
fn nothing_secret_is_printed() {
    let identity = identity(SERVER);
    let tls = pinned(SERVER, CLIENT);
    let text = format!("{identity:?} {tls:?}");
    let key = String::from_utf8_lossy(SERVER[1]).lines().nth(1).expect("base64").to_owned();
    assert!(!text.contains(&key[..16]) && !text.contains("PrivateKey"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("ezpc-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, SERVER[0]).and_then(|()| std::fs::write(&key, SERVER[1])).expect("room");
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, permissions).expect("it is ours");
        Identity::load(&certificate, &key)
    };
    let error = mode(0o640).expect_err("the group can read it");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    assert_eq!(mode(0o600).expect("private").fingerprint(), identity(SERVER).fingerprint());
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn files_of_something_else_are_refused() {
    assert_eq!(Trust::pinned(b"nonsense").expect_err("no PEM").kind(), ErrorKind::Usage);
    assert_eq!(Identity::from_pem(SERVER[0], SERVER[0]).expect_err("no key").kind(), ErrorKind::Usage);
    let mixed = Identity::from_pem(SERVER[0], CLIENT[1]).expect("each is well-formed");
    let error =
        Tls::new(&mixed, Trust::pinned(CLIENT[0]).expect("a certificate")).expect_err("they do not fit");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(Trust::certified(AUTHORITY, "no name").is_err());
}
