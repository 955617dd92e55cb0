//! Everything two parties need to compute on values that neither shows the other.
//!
//! A function is written in [`secure!`], or in Rust over the [`Protocol`] trait. [`protocol::TwoParty`] computes it with a peer
//! at the other end of a [`transport`]: `memory` within a process, `tcp` on one machine, `tls` (a feature) between two.
//! [`protocol::Cleartext`] computes it alone and [`protocol::Tally`] says what it costs; both need no peer.

mod arch;
pub mod base_ot;
pub mod crypto;
pub mod error;
pub mod he;
pub mod ops;
pub mod ot;
pub mod party;
#[doc(hidden)]
pub mod private;
pub mod program;
pub mod protocol;
pub mod ring;
pub mod secret;
pub mod sharing;
pub mod spec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transport;

#[cfg(any(doc, doctest))]
#[doc = include_str!("coming_from_ezpc.md")]
pub mod coming_from_ezpc {}

#[doc = include_str!("secure.md")]
#[doc(inline)]
pub use ezpc_macros::secure;
/// [`secure!`] of the text in a file: `secure_file! { mod name; "program.ezpc" }`.
///
/// The name is relative to the package's directory. The file has the language's own lexer, so that its comments may
/// hold what Rust cannot lex; errors name its lines and columns.
#[doc(inline)]
pub use ezpc_macros::secure_file;

pub use error::{Error, ErrorKind, Result};
pub use party::Party;
pub use protocol::Protocol;

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
