//! The catalogue of errors: a name, which is also the name of its UI test, and what to do about it.

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $help:literal;)*) => {
        /// What kind of error it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// The name, in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            /// What to do when the place of the error suggests nothing better.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$code => $help,)* }
            }
        }

        /// Every entry.
        #[must_use]
        pub fn catalogue() -> Vec<Code> {
            vec![$(Code::$code,)*]
        }
    };
}

codes! {
    /// The text is not of the language's grammar.
    Syntax = "syntax", "see the grammar in the documentation of `secure!`";
    /// A construct of the language that this version does not have.
    Unsupported = "unsupported", "this construct is not supported yet";
    /// A name that nothing declares.
    UnknownName = "unknown-name", "declare it before its use";
    /// A function that nothing defines.
    UnknownFunction = "unknown-function", "define it with `def`";
    /// A name declared twice in one scope.
    Redeclared = "redeclared", "choose another name, or assign to the first one";
    /// A literal that its type cannot hold.
    LiteralOverflow = "literal-overflow", "write a wider type, as `123L` (int64) or `123uL` (uint64)";
    /// A fixed-point format that there is not.
    BadFormat = "bad-format", "write `fix<width, fraction>`, as `fix<32, 12>`: 2 to 64 bits, fewer of them fraction";
    /// A label that its type cannot have.
    BadLabel = "bad-label", "integers are `pl`, `al` or `bl`, bool is `pl` or `bl`, float and fix are `pl` or `fl`";
    /// A label that its operator cannot have.
    BadOperatorLabel = "bad-operator-label", "leave the label out: the operator then gets the one that fits";
    /// Operands or values of different types.
    TypeMismatch = "type-mismatch", "both sides need one type";
    /// Secret operands of different widths.
    WidthMismatch = "width-mismatch", "convert one side, as `int64(x)`";
    /// An operator that its operand's type does not have.
    BadOperand = "bad-operand", "use an operator that this type has";
    /// A secret value where a public one is needed.
    SecretToPublic = "secret-to-public", "only `output` and `reveal` make a secret value public";
    /// A loop or branch on a secret value.
    SecretGuard = "secret-guard", "use `c ? a : b`, or loop to a public bound";
    /// The body of an `if` on a secret value does more than assign.
    SecretBranch = "secret-branch", "both branches run: they may only assign; move this out of the `if`";
    /// An array size, bound or shift amount that is secret.
    SecretSize = "secret-size", "sizes, loop bounds, shift amounts and exponents are public";
    /// A secret index where only a public one can be.
    SecretIndex = "secret-index", "declare the array secret, or index with a public value";
    /// A scalar where an array is needed or the reverse.
    RankMismatch = "rank-mismatch", "index the array, or pass a whole one";
    /// Arrays of different sizes.
    SizeMismatch = "size-mismatch", "both sides need the same sizes";
    /// A write to what cannot be written.
    Immutable = "immutable", "copy it to a variable of your own";
    /// The wrong number of arguments.
    ArgumentCount = "argument-count", "give one argument for each parameter";
    /// A call in an expression that changes its arguments or talks.
    ImpureCall = "impure-call", "call it as a statement of its own";
    /// A function without a result in an expression, or the reverse.
    VoidCall = "void-call", "a `void` function is called as a statement, any other within an expression";
    /// A path through a function that does not return.
    MissingReturn = "missing-return", "end every path with `return`";
    /// A function that calls itself on every path.
    EndlessRecursion = "endless-recursion", "return before the call, as `if (n == 0) { return 1; }`";
    /// A return that does not fit the function.
    BadReturn = "bad-return", "return a value exactly where the function declares one";
    /// Role and type of an input disagree.
    BadInput = "bad-input", "inputs of SERVER and CLIENT are secret, those of ALL are public";
    /// A global that is not a constant.
    BadConstant = "bad-constant", "a global is computed from literals and earlier globals";
    /// `main` with parameters or a result, or input and output without `main`.
    BadMain = "bad-main", "write `def void main() { .. }`";
}
