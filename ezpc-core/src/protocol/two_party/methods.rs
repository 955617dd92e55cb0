//! The methods of `Protocol` that the two-party protocol has gadgets for, written once for the protocol and its
//! cost model.

/// Methods that hand one operation to `self.gadgets`, and `together`, which hands over all that have a gadget.
macro_rules! gadget_methods {
    (@arith $name:ident($($arg:ident: $ty:ty),*) $op:expr) => {
        fn $name(&mut self, $($arg: $ty),*) -> Result<Self::Arith> {
            let op = $op;
            crate::protocol::check::operands(&op)?;
            Ok(self.gadgets(&[op])?.remove(0).into_arith())
        }
    };
    (@bool $name:ident($($arg:ident: $ty:ty),*) $op:expr) => {
        fn $name(&mut self, $($arg: $ty),*) -> Result<Self::Bool> {
            let op = $op;
            crate::protocol::check::operands(&op)?;
            Ok(self.gadgets(&[op])?.remove(0).into_bool())
        }
    };
    // What is too long for the gadget is read in blocks.
    (@read $self:ident, $op:ident, $array:ident, $index:ident, $read:expr) => {{
        crate::protocol::check::operands(&$op)?;
        if crate::protocol::two_party::gadget::exists(&$op) {
            return Ok($self.gadgets(&[$op])?.remove(0).into_arith());
        }
        let block = |range, low| $read($array.slice(range), low);
        let bits = crate::ops::lut::MAX_INDEX_BITS;
        crate::protocol::provided::in_blocks($self, $array.len(), bits, $index, block)
    }};
    () => {
        $crate::protocol::two_party::gadget_methods!(@arith mul(x: &Self::Arith, y: &Self::Arith)
            Op::Mul(x.clone(), y.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool and(x: &Self::Bool, y: &Self::Bool)
            Op::And(x.clone(), y.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool or(x: &Self::Bool, y: &Self::Bool)
            Op::Or(x.clone(), y.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool mux_bool(c: &Self::Bool, t: &Self::Bool, f: &Self::Bool)
            Op::MuxBool(c.clone(), t.clone(), f.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool msb(x: &Self::Arith) Op::Msb(x.clone()));
        $crate::protocol::two_party::gadget_methods!(@arith bit_to_arith(x: &Self::Bool, width: Width)
            Op::BitToArith(x.clone(), width));
        $crate::protocol::two_party::gadget_methods!(@bool a2b(x: &Self::Arith) Op::A2b(x.clone()));
        $crate::protocol::two_party::gadget_methods!(@arith b2a(x: &Self::Bool) Op::B2a(x.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool less_than(x: &Self::Arith, y: &Self::Arith, s: Signedness)
            Op::LessThan(x.clone(), y.clone(), s));
        $crate::protocol::two_party::gadget_methods!(@bool less_than_near(x: &Self::Arith, y: &Self::Arith)
            Op::LessThanNear(x.clone(), y.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool equal(x: &Self::Arith, y: &Self::Arith)
            Op::Equal(x.clone(), y.clone()));
        $crate::protocol::two_party::gadget_methods!(@bool below(x: &Self::Arith, thresholds: &RingVec, s: Signedness)
            Op::Below(x.clone(), thresholds.clone(), s));
        $crate::protocol::two_party::gadget_methods!(@arith popcount(x: &Self::Bool, width: Width)
            Op::Popcount(x.clone(), width));
        $crate::protocol::two_party::gadget_methods!(@arith mux(c: &Self::Bool, t: &Self::Arith, f: &Self::Arith)
            Op::Mux(c.clone(), t.clone(), f.clone()));
        $crate::protocol::two_party::gadget_methods!(@arith select(c: &Self::Bool, x: &Self::Arith)
            Op::Select(c.clone(), x.clone()));
        $crate::protocol::two_party::gadget_methods!(@arith trunc(x: &Self::Arith, shift: u32, kind: Trunc)
            Op::Trunc(x.clone(), shift, kind));
        $crate::protocol::two_party::gadget_methods!(@arith extend(x: &Self::Arith, width: Width, s: Signedness)
            Op::Extend(x.clone(), width, s));
        $crate::protocol::two_party::gadget_methods!(@arith extend_near(x: &Self::Arith, width: Width, s: Signedness)
            Op::ExtendNear(x.clone(), width, s));
        $crate::protocol::two_party::gadget_methods!(@arith relu(x: &Self::Arith, width: Width)
            Op::Relu { x: x.clone(), drop: 0, width });
        $crate::protocol::two_party::gadget_methods!(@arith relu_coarse(x: &Self::Arith, drop: u32, width: Width)
            Op::Relu { x: x.clone(), drop, width });
        $crate::protocol::two_party::gadget_methods!(@arith relu_trunc(x: &Self::Arith, shift: u32, bits: u32, width: Width)
            Op::ReluTrunc { x: x.clone(), shift, bits, width });
        $crate::protocol::two_party::gadget_methods!(@arith max(x: &Self::Arith, group: usize)
            Op::Max { x: x.clone(), drop: 0, group });
        $crate::protocol::two_party::gadget_methods!(@arith max_coarse(x: &Self::Arith, drop: u32, group: usize)
            Op::Max { x: x.clone(), drop, group });
        $crate::protocol::two_party::gadget_methods!(@arith argmax(x: &Self::Arith, group: usize, width: Width)
            Op::Argmax(x.clone(), group, width));
        $crate::protocol::two_party::gadget_methods!(@arith linear(layer: &$crate::protocol::Linear<Self::Arith>, x: &Self::Arith)
            Op::Linear(layer.clone(), x.clone()));

        fn lookup(&mut self, table: &RingVec, index: &Self::Arith) -> Result<Self::Arith> {
            let op = Op::Lookup(table.clone(), index.clone());
            $crate::protocol::two_party::gadget_methods!(@read self, op, table, index, Op::Lookup)
        }

        fn read(&mut self, array: &Self::Arith, index: &Self::Arith) -> Result<Self::Arith> {
            let op = Op::Read(array.clone(), index.clone());
            $crate::protocol::two_party::gadget_methods!(@read self, op, array, index, Op::Read)
        }

        fn together(
            &mut self,
            ops: &[Op<Self::Arith, Self::Bool>],
        ) -> Result<Vec<Val<Self::Arith, Self::Bool>>> {
            for op in ops {
                crate::protocol::check::operands(op)?;
            }
            let with: Vec<_> =
                ops.iter().filter(|op| crate::protocol::two_party::gadget::exists(op)).cloned().collect();
            let mut values = self.gadgets(&with)?.into_iter();
            ops.iter()
                .map(|op| match crate::protocol::two_party::gadget::exists(op) {
                    true => Ok(values.next().expect("one value an operation")),
                    false => crate::protocol::op::run(self, op),
                })
                .collect()
        }
    };
}
pub(crate) use gadget_methods;
