//! Writes ONNX files: the few messages of the format that our networks need.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

/// Fields of a message in protobuf's wire format.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn int(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// The value of an attribute.
pub(super) enum Attribute {
    Int(i64),
    Float(f32),
    /// One number several times.
    Ints(usize, usize),
}

/// A model under construction.
pub(super) struct File {
    graph: Message,
}

/// Element types.
const FLOAT: u64 = 1;
/// The operator set and the version of the format that came with it.
const OPSET: u64 = 13;
const IR_VERSION: u64 = 7;

impl File {
    pub(super) fn new(name: &str) -> Self {
        Self { graph: Message::default().text(2, name) }
    }

    /// `name = op_type(inputs)`.
    pub(super) fn node(
        &mut self,
        name: &str,
        op_type: &str,
        inputs: &[String],
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        node = node.text(2, name).text(3, name).text(4, op_type);
        for (name, value) in attributes {
            let attribute = Message::default().text(1, name);
            // Type 1 is a float, 2 an integer, 7 a list of integers.
            let attribute = match value {
                Attribute::Float(v) => attribute.float(2, *v).int(20, 1),
                Attribute::Int(v) => attribute.int(3, v.cast_unsigned()).int(20, 2),
                Attribute::Ints(v, n) => (0..*n).fold(attribute, |a, _| a.int(8, *v as u64)).int(20, 7),
            };
            node = node.message(5, &attribute);
        }
        self.graph = core::mem::take(&mut self.graph).message(1, &node);
    }

    /// A constant of 32-bit floats.
    pub(super) fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let mut tensor = Message::default();
        for &d in shape {
            tensor = tensor.int(1, d as u64);
        }
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = tensor.int(2, FLOAT).text(8, name).bytes(9, &raw);
        self.graph = core::mem::take(&mut self.graph).message(5, &tensor);
    }

    /// The input of a batch of samples of `shape`.
    pub(super) fn input(&mut self, name: &str, shape: &[usize]) {
        self.graph = core::mem::take(&mut self.graph).message(11, &value(name, shape));
    }

    /// The finished file, whose output is the node `name` of `shape` for each sample.
    pub(super) fn finish(self, name: &str, shape: &[usize]) -> Vec<u8> {
        let graph = self.graph.message(12, &value(name, shape));
        let opset = Message::default().text(1, "").int(2, OPSET);
        let producer = env!("CARGO_PKG_NAME");
        Message::default().int(1, IR_VERSION).text(2, producer).message(7, &graph).message(8, &opset).0
    }
}

/// A named tensor of floats, its first dimension the batch.
fn value(name: &str, shape: &[usize]) -> Message {
    let batch = Message::default().text(2, "N");
    let dims = shape.iter().fold(Message::default().message(1, &batch), |dims, &d| {
        dims.message(1, &Message::default().int(1, d as u64))
    });
    let tensor = Message::default().int(1, FLOAT).message(2, &dims);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
