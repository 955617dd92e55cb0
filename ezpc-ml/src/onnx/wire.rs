//! The protobuf wire format: fields one after the other, every length checked against the bytes that remain.

use super::source::Source;
use ezpc_core::{Error, Result};
use std::ops::Range;

/// No text of a model is longer; bounds what is read at once.
const MAX_TEXT: u64 = 1 << 20;

/// One field's value as it stands on the wire.
#[derive(Clone, Copy)]
pub(super) enum Field<'s> {
    Varint(u64),
    Fixed64(u64),
    Bytes(Message<'s>),
    Fixed32(u32),
}

/// A run of bytes that holds a message, a string or packed numbers. Nothing of it is read before it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Message<'s> {
    source: &'s Source<'s>,
    at: u64,
    end: u64,
}

impl<'s> Message<'s> {
    pub(super) const fn new(source: &'s Source<'s>) -> Self {
        Self { source, at: 0, end: source.len() }
    }

    pub(super) const fn source(self) -> &'s Source<'s> {
        self.source
    }

    pub(super) const fn range(self) -> Range<u64> {
        self.at..self.end
    }

    pub(super) const fn is_empty(self) -> bool {
        self.at == self.end
    }

    /// The bytes of a text.
    pub(super) fn bytes(self) -> Result<Vec<u8>> {
        if self.end - self.at > MAX_TEXT {
            return Err(self.malformed("a text of more than 1 MiB"));
        }
        self.source.read(self.range())
    }

    pub(super) fn text(self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    pub(super) fn malformed(self, what: &str) -> Error {
        Error::usage(format!("malformed ONNX: {what} at byte {}", self.at))
    }

    /// The next field and its number, or `None` at the end.
    pub(super) fn next_field(&mut self) -> Result<Option<(u64, Field<'s>)>> {
        if self.is_empty() {
            return Ok(None);
        }
        let start = *self;
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                Field::Bytes(self.take(len)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            kind => return Err(start.malformed(&format!("unknown wire type {kind}"))),
        };
        match key >> 3 {
            0 => Err(start.malformed("field number 0")),
            number => Ok(Some((number, field))),
        }
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let have = (self.end - self.at).min(10);
        let mut bytes = [0; 10];
        let head = &mut bytes[..have as usize];
        self.source.fill(self.at, head)?;
        let mut value = 0_u64;
        for (i, &byte) in head.iter().enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                if i == 9 && byte > 1 {
                    return Err(self.malformed("number of more than 64 bits"));
                }
                self.at += i as u64 + 1;
                return Ok(value);
            }
        }
        Err(self.malformed(if have < 10 { "the file ends inside a number" } else { "endless number" }))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let head = self.take(N as u64)?;
        let mut bytes = [0; N];
        self.source.fill(head.at, &mut bytes)?;
        Ok(bytes)
    }

    fn take(&mut self, len: u64) -> Result<Self> {
        let have = self.end - self.at;
        if len > have {
            return Err(
                self.malformed(&format!("a field of {len} bytes where {have} remain (truncated file?)"))
            );
        }
        let head = Self { source: self.source, at: self.at, end: self.at + len };
        self.at += len;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_each_wire_type() {
        let bytes = [8, 0x96, 1, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let source = Source::memory(&bytes);
        let mut m = Message::new(&source);
        assert!(matches!(m.next_field().expect("varint"), Some((1, Field::Varint(150)))));
        match m.next_field().expect("bytes") {
            Some((2, Field::Bytes(text))) => assert_eq!(text.text().expect("text"), "hi"),
            _ => panic!("no bytes"),
        }
        assert!(matches!(m.next_field().expect("fixed32"), Some((3, Field::Fixed32(1)))));
        assert!(matches!(m.next_field().expect("fixed64"), Some((4, Field::Fixed64(2)))));
        assert!(m.next_field().expect("end").is_none());
    }

    #[test]
    fn refuses_lengths_beyond_the_end() {
        let bytes = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let source = Source::memory(&bytes);
        let error = Message::new(&source).next_field().err().expect("too long");
        assert!(error.to_string().contains("truncated"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let source = Source::memory(&bytes);
            let mut m = Message::new(&source);
            while let Ok(Some(_)) = m.next_field() {}
        }
    }
}
