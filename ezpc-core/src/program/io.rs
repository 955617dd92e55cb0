//! Inputs and outputs of generated programs: nested vectors in Rust, flat and row-major inside.

use super::{Array, Opening, Program, Scalar, Shared};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::protocol::{Protocol, Reveal};

/// A scalar, a vector of scalars, a vector of vectors, …
pub trait Nested<T>: Sized {
    /// Appends the elements row-major; refuses other sizes.
    fn flatten(&self, sizes: &[usize], out: &mut Vec<T>) -> Result<()>;
    /// The nested form of row-major elements.
    fn nest(sizes: &[usize], elements: &mut dyn Iterator<Item = T>) -> Self;
}

impl<T: Scalar> Nested<Self> for T {
    fn flatten(&self, _: &[usize], out: &mut Vec<Self>) -> Result<()> {
        out.push(*self);
        Ok(())
    }
    fn nest(_: &[usize], elements: &mut dyn Iterator<Item = Self>) -> Self {
        elements.next().expect("as many elements as the sizes say")
    }
}

impl<T, N: Nested<T>> Nested<T> for Vec<N> {
    fn flatten(&self, sizes: &[usize], out: &mut Vec<T>) -> Result<()> {
        let (size, rest) = sizes.split_first().expect("one size for each level");
        if self.len() != *size {
            return Err(Error::usage(format!("{} values where {size} are declared", self.len())));
        }
        self.iter().try_for_each(|part| part.flatten(rest, out))
    }
    fn nest(sizes: &[usize], elements: &mut dyn Iterator<Item = T>) -> Self {
        let (size, rest) = sizes.split_first().expect("one size for each level");
        (0..*size).map(|_| N::nest(rest, elements)).collect()
    }
}

/// The values of an input that runs any number of times; `taken` counts the ones used.
pub fn next_of<'v, F>(values: Option<&'v Vec<F>>, taken: &mut usize) -> Option<&'v F> {
    let value = values.and_then(|v| v.get(*taken));
    *taken += 1;
    value
}

/// A private input.
pub fn input<P: Protocol, T: Scalar>(
    program: &Program<'_, P>,
    name: &str,
    from: Party,
    value: Option<&T>,
) -> Result<Shared<T>> {
    program.input(from, value.copied()).map_err(|e| e.context(&format!("input `{name}`")))
}

/// A private input with elements.
pub fn input_array<P: Protocol, T: Scalar, F: Nested<T>, const R: usize>(
    program: &Program<'_, P>,
    name: &str,
    from: Party,
    value: Option<&F>,
    sizes: [usize; R],
) -> Result<Array<Shared<T>, R>> {
    let flat = match value {
        Some(value) if program.party().is_none_or(|me| me == from) => Some(flat(name, value, &sizes)?),
        _ => None,
    };
    program.input_array(from, sizes, flat.as_deref()).map_err(|e| e.context(&format!("input `{name}`")))
}

/// A public input: both parties give the same value.
pub fn public_input<T: Scalar, F: Nested<T>>(
    name: &str,
    value: Option<&F>,
    sizes: &[usize],
) -> Result<Vec<T>> {
    match value {
        Some(value) => flat(name, value, sizes),
        None => Err(Error::usage(format!("input `{name}`: both parties give this public value"))),
    }
}

fn flat<T, F: Nested<T>>(name: &str, value: &F, sizes: &[usize]) -> Result<Vec<T>> {
    let mut out = Vec::new();
    value.flatten(sizes, &mut out).map_err(|e| e.context(&format!("input `{name}`")))?;
    Ok(out)
}

/// What one `output` statement has put out so far.
pub struct Emitted<T> {
    to: Reveal,
    entries: Vec<(Vec<usize>, Vec<Value<T>>)>,
}

enum Value<T> {
    Public(T),
    Secret(Opening<T>),
}

impl<T: Scalar> Emitted<T> {
    /// Nothing yet.
    #[must_use]
    pub const fn new(to: Reveal) -> Self {
        Self { to, entries: Vec::new() }
    }

    /// Puts out secret values.
    pub fn share<P: Protocol>(&mut self, program: &Program<'_, P>, values: &[Shared<T>], sizes: &[usize]) {
        let openings = values.iter().map(|x| Value::Secret(program.output(x, self.to))).collect();
        self.entries.push((sizes.to_vec(), openings));
    }

    /// Puts out public values.
    pub fn public(&mut self, values: &[T], sizes: &[usize]) {
        self.entries.push((sizes.to_vec(), values.iter().map(|&v| Value::Public(v)).collect()));
    }

    /// The values, once for each time the statement ran; `None` at a party that does not learn them.
    pub fn take<P: Protocol, F: Nested<T>>(&self, program: &Program<'_, P>) -> Vec<Option<F>> {
        let learns = program.party().is_none_or(|me| self.to.includes(me));
        let one = |(sizes, values): &(Vec<usize>, Vec<Value<T>>)| {
            let value = |v: &Value<T>| match v {
                Value::Public(value) => Some(*value),
                Value::Secret(opening) => program.opened(opening),
            };
            let elements: Option<Vec<T>> = values.iter().map(value).collect();
            elements.filter(|_| learns).map(|e| F::nest(sizes, &mut e.into_iter()))
        };
        self.entries.iter().map(one).collect()
    }
}

/// The one value of an output that runs exactly once.
///
/// # Panics
/// When it did not run: then the program ended with an error before.
pub fn only<F>(values: Vec<Option<F>>) -> Option<F> {
    values.into_iter().next().expect("the statement ran")
}

/// The values of an output that runs any number of times.
pub fn every<F>(values: Vec<Option<F>>) -> Option<Vec<F>> {
    values.into_iter().collect()
}

/// The value of an output to both parties.
pub fn known<F>(value: Option<F>) -> F {
    value.expect("both parties learn the value")
}

/// Reveals a value to both parties.
pub fn reveal_now<P: Protocol, T: Scalar>(program: &Program<'_, P>, x: &Shared<T>) -> Result<T> {
    program.reveal(x, Reveal::Both).map(known)
}

/// Reveals a value to one party, whose input it is from there on.
pub fn reveal_to<P: Protocol, T: Scalar>(
    program: &Program<'_, P>,
    x: &Shared<T>,
    to: Party,
) -> Result<Shared<T>> {
    program.input(to, program.reveal(x, Reveal::To(to))?)
}

/// The result, with the line of the program in its error.
pub fn at_line<T>(result: Result<T>, line: usize) -> Result<T> {
    result.map_err(|e| e.context(&format!("line {line}")))
}
