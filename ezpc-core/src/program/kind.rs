//! The kinds of nodes.

/// What the elements of a node are or will be computed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Unused.
    Free,
    /// Computed, arithmetic or Boolean shares in the store.
    DoneArith,
    DoneBool,
    /// A public value; usable in both domains.
    Const,
    /// Public values, one for each element; usable in both domains.
    Table,
    /// Private values not shared yet: shared in the domains that are asked for.
    Input,
    /// `c ? t : f` with public t and f: converted cheaply to both domains.
    Pick,
    /// Elements of other nodes, one view after the other: of any domain, of arithmetic or of Boolean nodes only.
    Gather,
    GatherArith,
    GatherBool,
    // Arithmetic, local.
    Add,
    Sub,
    Scale,
    /// By the elements of a table.
    ScaleTable,
    Reduce,
    /// The sum of the elements.
    SumAll,
    // Arithmetic, interactive.
    InputArith,
    Mul,
    /// The product of the elements.
    MulAll,
    BitToArith,
    B2a,
    Select,
    Mux,
    /// The larger or smaller of two values; the third operand is the comparison it was recorded with.
    MaxSigned,
    MaxUnsigned,
    MinSigned,
    MinUnsigned,
    ExtendSigned,
    ExtendUnsigned,
    /// The floor of a division by 2^s.
    Trunc,
    /// Elements of the first operand, all lanes of which are one array, at the indices of the second.
    Read,
    // Boolean, local.
    Xor,
    Rewire,
    AndConst,
    /// With the elements of a table.
    AndTable,
    XorAll,
    // Boolean, interactive.
    InputBool,
    And,
    Or,
    AddBool,
    AndAll,
    OrAll,
    MuxBool,
    A2b,
    Msb,
    LessSigned,
    LessUnsigned,
    Equal,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// In both, or wherever it is asked for.
    Either,
    Arith,
    Bool,
}

impl Kind {
    pub(super) fn domain(self) -> Domain {
        match self {
            Self::Const | Self::Table | Self::Input | Self::Pick | Self::Gather | Self::Free => {
                Domain::Either
            }
            Self::DoneArith
            | Self::GatherArith
            | Self::Add
            | Self::Sub
            | Self::Scale
            | Self::ScaleTable
            | Self::Reduce
            | Self::SumAll
            | Self::InputArith
            | Self::Mul
            | Self::MulAll
            | Self::BitToArith
            | Self::B2a
            | Self::Select
            | Self::Mux
            | Self::MaxSigned
            | Self::MaxUnsigned
            | Self::MinSigned
            | Self::MinUnsigned
            | Self::ExtendSigned
            | Self::ExtendUnsigned
            | Self::Trunc
            | Self::Read => Domain::Arith,
            _ => Domain::Bool,
        }
    }

    /// Whether the operation talks to the peer.
    pub(super) fn interactive(self) -> bool {
        !matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Scale
                | Self::ScaleTable
                | Self::Reduce
                | Self::SumAll
                | Self::Xor
                | Self::XorAll
                | Self::Rewire
                | Self::AndConst
                | Self::AndTable
                | Self::InputArith
                | Self::InputBool
        )
    }

    /// Whether it is recorded and waits to be computed.
    pub(super) fn pending(self) -> bool {
        self.computed() && !matches!(self, Self::DoneArith | Self::DoneBool)
    }

    /// Whether a node of this kind gets a share vector.
    pub(super) fn computed(self) -> bool {
        !matches!(self, Self::Free | Self::Const | Self::Table | Self::Input | Self::Pick) && !self.gathers()
    }

    pub(super) fn gathers(self) -> bool {
        matches!(self, Self::Gather | Self::GatherArith | Self::GatherBool)
    }

    /// How many operands a node has.
    pub(super) fn arity(self) -> usize {
        match self {
            Self::Free
            | Self::DoneArith
            | Self::DoneBool
            | Self::Const
            | Self::Table
            | Self::Input
            | Self::Gather
            | Self::GatherArith
            | Self::GatherBool
            | Self::InputArith
            | Self::InputBool => 0,
            Self::Scale
            | Self::Reduce
            | Self::SumAll
            | Self::MulAll
            | Self::XorAll
            | Self::AndAll
            | Self::OrAll
            | Self::BitToArith
            | Self::B2a
            | Self::ExtendSigned
            | Self::ExtendUnsigned
            | Self::Trunc
            | Self::Rewire
            | Self::AndConst
            | Self::A2b
            | Self::Msb => 1,
            Self::Pick
            | Self::Mux
            | Self::MuxBool
            | Self::MaxSigned
            | Self::MaxUnsigned
            | Self::MinSigned
            | Self::MinUnsigned => 3,
            _ => 2,
        }
    }

    /// Whether the operands may be exchanged.
    pub(super) fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Mul | Self::Xor | Self::And | Self::Or | Self::AddBool | Self::Equal)
    }

    /// The associative operation that chains of this kind are made of: linear combinations, and products of each
    /// kind.
    pub(super) fn chain(self) -> Option<Self> {
        match self {
            Self::Add | Self::Sub | Self::Scale => Some(Self::Add),
            Self::Xor | Self::Mul | Self::And | Self::Or | Self::AddBool => Some(self),
            kind if kind.extremum().is_some() => Some(self),
            Self::MulAll => Some(Self::Mul),
            Self::AndAll => Some(Self::And),
            Self::OrAll => Some(Self::Or),
            _ => None,
        }
    }

    /// The comparison of a maximum or minimum, and whether it keeps the larger.
    pub(super) fn extremum(self) -> Option<(Self, bool)> {
        match self {
            Self::MaxSigned => Some((Self::LessSigned, true)),
            Self::MaxUnsigned => Some((Self::LessUnsigned, true)),
            Self::MinSigned => Some((Self::LessSigned, false)),
            Self::MinUnsigned => Some((Self::LessUnsigned, false)),
            _ => None,
        }
    }

    /// Whether the result is one element made of all elements of the operand by an interactive operation.
    pub(super) fn folds(self) -> bool {
        matches!(self, Self::MulAll | Self::AndAll | Self::OrAll)
    }
}
