//! The protobuf wire format: fields one after the other, every length checked against the bytes that remain.

use ezpc_core::{Error, Result};

/// One field's value as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(Message<'a>),
    Fixed32(u32),
}

/// A run of bytes that holds a message, a string or packed numbers, and its place in the file for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Message<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn text(self) -> Result<&'a str> {
        core::str::from_utf8(self.bytes).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    pub(super) fn malformed(self, what: &str) -> Error {
        Error::usage(format!("malformed ONNX: {what} at byte {}", self.offset))
    }

    /// The next field and its number, or `None` at the end.
    pub(super) fn next_field(&mut self) -> Result<Option<(u64, Field<'a>)>> {
        if self.bytes.is_empty() {
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
        let mut value = 0_u64;
        for (i, &byte) in self.bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                if i == 9 && byte > 1 {
                    return Err(self.malformed("number of more than 64 bits"));
                }
                self.skip(i + 1);
                return Ok(value);
            }
        }
        let what = if self.bytes.len() < 10 { "the file ends inside a number" } else { "endless number" };
        Err(self.malformed(what))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let head = self.take(N as u64)?;
        Ok(head.bytes.try_into().expect("take returns as many bytes as asked for"))
    }

    fn take(&mut self, len: u64) -> Result<Self> {
        let have = self.bytes.len();
        let len = usize::try_from(len).ok().filter(|&len| len <= have).ok_or_else(|| {
            self.malformed(&format!("a field of {len} bytes where {have} remain (truncated file?)"))
        })?;
        let head = Self { bytes: &self.bytes[..len], offset: self.offset };
        self.skip(len);
        Ok(head)
    }

    fn skip(&mut self, len: usize) {
        self.bytes = &self.bytes[len..];
        self.offset += len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_each_wire_type() {
        let bytes = [8, 0x96, 1, 0x12, 2, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0];
        let mut m = Message::new(&bytes);
        assert!(matches!(m.next_field().expect("varint"), Some((1, Field::Varint(150)))));
        match m.next_field().expect("bytes") {
            Some((2, Field::Bytes(text))) => assert_eq!(text.text().expect("text"), "hi"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(m.next_field().expect("fixed32"), Some((3, Field::Fixed32(1)))));
        assert!(matches!(m.next_field().expect("fixed64"), Some((4, Field::Fixed64(2)))));
        assert!(m.next_field().expect("end").is_none());
    }

    #[test]
    fn refuses_lengths_beyond_the_end() {
        let bytes = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let error = Message::new(&bytes).next_field().expect_err("too long");
        assert!(error.to_string().contains("truncated"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut m = Message::new(&bytes);
            while let Ok(Some(_)) = m.next_field() {}
        }
    }
}
