//! The journal of a validation: where a run can go on after both processes have ended.
//!
//! After every batch the parties share the count of right answers anew: the server draws a mask, the client learns the
//! count minus the mask, and each writes its part, with the number of samples so far, to its own file. Nothing of the
//! session is kept: who goes on has new keys and new randomness, and a batch that was not finished runs again with them.
//!
//! A mark holds one party's share of the count, a uniform number as long as the other file is elsewhere: **both files
//! together are the count**, so each stays with its party, readable by its owner alone. Going on tells the peer at how many
//! samples this party has marks, and with the same files it leads to the same verdict, up to the roundings of
//! layers.

use crate::npy::{remove_parts, write_private};
use ezpc_core::protocol::{Reveal, ShareVec};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Error, Party, Protocol, Result};
use std::path::{Path, PathBuf};

const TITLE: &str = "ezpc validation journal 1";
/// No journal is longer.
const MAX_BYTES: u64 = 4096;

/// A place where a run can go on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    samples: u64,
    share: u64,
}

/// One party's journal.
pub struct Journal<'r> {
    path: PathBuf,
    /// What the run is about, one line each.
    about: Vec<String>,
    /// The name of the run that both parties drew, once there is one.
    run: Option<[u64; 2]>,
    /// The last marks, the latest at the end. A party can be one mark ahead of its peer, not more: each batch needs both.
    marks: Vec<Mark>,
    random: &'r mut dyn FnMut() -> Result<u64>,
}

impl core::fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let samples = self.marks.last().map_or(0, |m| m.samples);
        write!(f, "Journal({}, {samples} samples)", self.path.display())
    }
}

impl<'r> Journal<'r> {
    /// The journal at `path`, which may not exist yet. `request` is the public shape of the run and `input` the hash of this
    /// party's own input; a journal of anything else is refused. `random` gives uniform numbers of a cryptographic
    /// generator: they hide the count.
    pub fn open(
        path: &Path,
        party: Party,
        request: &str,
        input: [u8; 32],
        random: &'r mut dyn FnMut() -> Result<u64>,
    ) -> Result<Self> {
        let input: String = input.iter().map(|b| format!("{b:02x}")).collect();
        let about = vec![format!("party {party}"), format!("request {request}"), format!("input {input}")];
        let mut journal = Self { path: path.to_owned(), about, run: None, marks: Vec::new(), random };
        if path.exists() {
            let bytes = crate::onnx::read_bounded(path, MAX_BYTES)?;
            journal.read(&bytes).map_err(|e| e.context(&path.display().to_string()))?;
        }
        // A share that a killed process was writing has no reader, and its name has the number of a process: it would stay.
        remove_parts(path);
        Ok(journal)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<()> {
        let text = core::str::from_utf8(bytes).unwrap_or_default();
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(Error::usage("not a journal of a validation"));
        }
        for want in &self.about {
            let found = lines.next().unwrap_or_default();
            if found != want {
                let what = want.split(' ').next().unwrap_or_default();
                let why = match what {
                    "input" => "this party's own input was another one".to_owned(),
                    _ => format!("it has `{found}` and not `{want}`"),
                };
                return Err(Error::usage(format!(
                    "the journal is of another run: {why}; remove it to start from the first sample"
                )));
            }
        }
        let damaged = || Error::usage("the journal is damaged; remove it to start from the first sample");
        let mut words = |name: &str| -> Result<Option<[u64; 2]>> {
            let Some(line) = lines.next() else { return Ok(None) };
            let (a, b) =
                line.strip_prefix(name).and_then(|l| l.trim_start().split_once(' ')).ok_or_else(damaged)?;
            let number = |t: &str| u64::from_str_radix(t, 16).map_err(|_| damaged());
            Ok(Some([number(a)?, number(b)?]))
        };
        self.run = Some(words("run")?.ok_or_else(damaged)?);
        while let Some([samples, share]) = words("mark")? {
            self.marks.push(Mark { samples, share });
        }
        if self.marks.is_empty() || self.marks.len() > 2 {
            return Err(damaged());
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let [a, b] = self.run.unwrap_or_default();
        let mut text = format!("{TITLE}\n{}\nrun {a:016x} {b:016x}\n", self.about.join("\n"));
        for m in &self.marks {
            text += &format!("mark {:016x} {:016x}\n", m.samples, m.share);
        }
        write_private(&self.path, text.as_bytes())
    }

    /// Where the run goes on, and the count up to there.
    pub(super) fn begin<P: Protocol>(&mut self, p: &mut P, width: Width) -> Result<(usize, P::Arith)> {
        let party = p.party().ok_or_else(|| Error::usage("a journal belongs to one party"))?;
        let [first, last] = [self.marks.first(), self.marks.last()].map(|m| m.map_or(0, |m| m.samples));
        let [a, b] = self.run.unwrap_or_default();
        let told = exchange(p, [a, b, first, last])?;
        let named = self.run.is_some() && told[0][..2] == told[1][..2];
        // What this party refuses its peer refuses, too, and for the same reason: one that went on alone would start over
        // what its peer has half done.
        if !named {
            if told.iter().any(|t| t[3] > 0) {
                return Err(self.apart(match told.map(|t| t[..2] == [0; 2]) {
                    [true, false] => format!("the {} has no journal of this run", Party::Server),
                    [false, true] => format!("the {} has no journal of this run", Party::Client),
                    _ => "the parties' journals are of different runs".to_owned(),
                }));
            }
            // Nothing is done yet: a new run, whose name both draw.
            let drawn = [(self.random)()?, (self.random)()?];
            let drawn = exchange(p, drawn)?;
            self.run = Some([drawn[0][0] ^ drawn[1][0], drawn[0][1] ^ drawn[1][1]]);
            self.marks = vec![Mark { samples: 0, share: 0 }];
            self.write()?;
            return Ok((0, p.public(&RingVec::zeros(width, 1))));
        }
        let common = told[0][3].min(told[1][3]);
        if let Some((party, _)) = Party::BOTH.into_iter().zip(&told).find(|(_, t)| !t[2..].contains(&common))
        {
            return Err(
                self.apart(format!("the {party}'s has no mark at {common} samples, where the other's ends"))
            );
        }
        let mark = self.marks.iter().find(|m| m.samples == common).copied();
        let mark =
            mark.ok_or_else(|| Error::peer("its answer names a mark that this journal does not have"))?;
        // A later mark of this party was made under another mask than the one that the peer will note at the same place:
        // it has to be gone from the file before either goes on.
        self.marks = vec![mark];
        self.write()?;
        let own = RingVec::new(width, vec![mark.share]);
        let mut part = |from| p.input(from, width, 1, (from == party).then_some(&own));
        let (server, client) = (part(Party::Server)?, part(Party::Client)?);
        let samples = usize::try_from(common).map_err(|_| self.apart("a count beyond memory".to_owned()))?;
        Ok((samples, p.add(&server, &client)))
    }

    /// The journals of the parties do not belong together.
    fn apart(&self, why: String) -> Error {
        Error::peer(format!("{}: {why}; remove both to start from the first sample", self.path.display()))
    }

    /// Notes the count of the first `samples` samples.
    pub(super) fn mark<P: Protocol>(&mut self, p: &mut P, total: &P::Arith, samples: usize) -> Result<()> {
        let (width, server) = (total.width(), p.party() == Some(Party::Server));
        let mask = server.then(|| (self.random)()).transpose()?.map(|r| RingVec::new(width, vec![r]));
        let masked = p.input(Party::Server, width, 1, mask.as_ref())?;
        let rest = p.reveal(&p.sub(total, &masked), Reveal::To(Party::Client))?;
        let share = mask.or(rest).ok_or_else(|| Error::usage("a journal belongs to one party"))?.lanes()[0];
        let previous = self.marks.pop();
        self.marks.clear();
        self.marks.extend(previous);
        self.marks.push(Mark { samples: samples as u64, share });
        self.write()
    }
}

/// Public numbers of both parties, the server's first.
fn exchange<P: Protocol, const N: usize>(p: &mut P, own: [u64; N]) -> Result<[[u64; N]; 2]> {
    let own = RingVec::new(Width::W64, own.to_vec());
    let party = p.party();
    let mut both = [[0; N]; 2];
    for (from, told) in Party::BOTH.into_iter().zip(&mut both) {
        let values = p.input(from, Width::W64, N, (party == Some(from)).then_some(&own))?;
        let opened = p.reveal(&values, Reveal::Both)?;
        let opened = opened.ok_or_else(|| Error::usage("public numbers were not opened"))?;
        told.copy_from_slice(opened.lanes());
    }
    Ok(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name of a run and its marks.
    type About = (Option<[u64; 2]>, Vec<(u64, u64)>);

    fn about(path: &Path, input: u8) -> Result<About> {
        let mut random = || Ok(7);
        let journal = Journal::open(path, Party::Client, "validate x", [input; 32], &mut random)?;
        Ok((journal.run, journal.marks.iter().map(|m| (m.samples, m.share)).collect()))
    }

    #[test]
    fn only_the_journal_of_the_same_run_is_taken() {
        let folder = std::env::temp_dir().join(format!("ezpc-journal-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let path = folder.join("client.journal");
        assert_eq!(about(&path, 1).expect("a new one"), (None, Vec::new()));

        let mut random = || Ok(7);
        let mut journal =
            Journal::open(&path, Party::Client, "validate x", [1; 32], &mut random).expect("new");
        journal.run = Some([3, u64::MAX]);
        journal.marks = vec![Mark { samples: 8, share: 5 }, Mark { samples: 16, share: 200 }];
        journal.write().expect("writes");
        assert_eq!(about(&path, 1).expect("its own"), (Some([3, u64::MAX]), vec![(8, 5), (16, 200)]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        }

        // What killed processes have left of it goes, and is not read; other files stay.
        let left = ["client.journal.1.part", "client.journal.4194304.part"].map(|name| folder.join(name));
        let others = ["server.journal.1.part", "client.journal.part", "client.journal.1x.part"];
        for path in left.iter().chain(&others.map(|name| folder.join(name))) {
            std::fs::write(path, "mark 1 1").expect("writes");
        }
        assert_eq!(about(&path, 1).expect("its own"), (Some([3, u64::MAX]), vec![(8, 5), (16, 200)]));
        assert!(left.iter().all(|path| !path.exists()));
        assert!(others.iter().all(|name| folder.join(name).exists()));

        let error = about(&path, 2).expect_err("another input").to_string();
        assert!(error.contains("own input was another one") && error.contains("client.journal"), "{error}");
        let mut random = || Ok(7);
        let other = Journal::open(&path, Party::Client, "validate y", [1; 32], &mut random);
        let error = other.expect_err("another request").to_string();
        assert!(error.contains("validate x") && error.contains("validate y"), "{error}");
        let text = std::fs::read_to_string(&path).expect("it is there");
        for (damage, why) in [
            (text.replace("run", "ran"), "damaged"),
            (text.replace(" 0000000000000008 ", " zzz "), "damaged"),
            (text.lines().take(5).map(|l| format!("{l}\n")).collect(), "damaged"),
            (text.replace("journal 1", "journal 2"), "not a journal"),
        ] {
            std::fs::write(&path, damage).expect("writes");
            let error = about(&path, 1).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
        std::fs::remove_dir_all(&folder).expect("removes");
    }
}
