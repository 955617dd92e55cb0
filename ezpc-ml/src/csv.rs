//! Tables of numbers as text: a header of column names, one row a sample. And what turns columns into the values
//! that a model was trained on.

use crate::npy::{Array, Elements};
use crate::onnx::read_bounded;
use ezpc_core::{Error, Result};
use std::path::Path;

/// The largest file that is read.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// A table with named columns. Prints as its size: it may be somebody's data.
#[derive(Clone, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "a table is its names and its numbers")]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The numbers, row by row.
    pub values: Vec<f64>,
}

impl core::fmt::Debug for Table {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Table({} columns, {} numbers)", self.columns.len(), self.values.len())
    }
}

impl Table {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_bounded(path, MAX_FILE_BYTES)?;
        Self::parse(&bytes).map_err(|e| e.context(&path.display().to_string()))
    }

    /// Reads a table from text: commas, no quotes, the first line names the columns.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text =
            core::str::from_utf8(bytes).map_err(|_| Error::usage("malformed CSV: text that is not UTF-8"))?;
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, header) = lines.next().ok_or_else(|| Error::usage("malformed CSV: an empty file"))?;
        let columns: Vec<String> = header.split(',').map(|name| name.trim().to_owned()).collect();
        if columns.iter().all(|name| name.parse::<f64>().is_ok()) {
            return Err(Error::usage(
                "malformed CSV: the first line names the columns, here it holds numbers",
            ));
        }
        let mut values = Vec::new();
        for (at, line) in lines {
            let start = values.len();
            for (cell, name) in line.split(',').zip(&columns) {
                let value = cell.trim().parse::<f64>().map_err(|_| {
                    Error::usage(format!("malformed CSV: line {}, column `{name}` is no number", at + 1))
                })?;
                values.push(value);
            }
            if values.len() - start != columns.len() || line.split(',').count() != columns.len() {
                return Err(Error::usage(format!(
                    "malformed CSV: line {} does not have {} cells",
                    at + 1,
                    columns.len()
                )));
            }
        }
        Ok(Self { columns, values })
    }

    /// The rows as samples.
    #[must_use]
    pub fn into_array(self) -> Array {
        let rows = self.values.len() / self.columns.len();
        Array { shape: vec![rows, self.columns.len()], data: Elements::Float64(self.values) }
    }

    /// Subtracts and divides per column, as `rules` says.
    pub fn normalise(&mut self, rules: &Normalisation) -> Result<()> {
        let rule = |name: &String| {
            let found = rules.0.iter().find(|(column, ..)| column == name);
            found.map(|(_, mean, scale)| (*mean, *scale)).ok_or_else(|| {
                Error::usage(format!("column `{name}` is not in the file of the normalisation"))
            })
        };
        let rules = self.columns.iter().map(rule).collect::<Result<Vec<_>>>()?;
        for (i, value) in self.values.iter_mut().enumerate() {
            let (mean, scale) = rules[i % rules.len()];
            *value = (*value - mean) / scale;
        }
        Ok(())
    }
}

/// For each column what is subtracted and then divided by: lines of `name,mean,deviation`.
#[derive(Clone, PartialEq)]
pub struct Normalisation(Vec<(String, f64, f64)>);

impl core::fmt::Debug for Normalisation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Normalisation({} columns)", self.0.len())
    }
}

impl Normalisation {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = read_bounded(path, 1 << 24)?;
        Self::parse(&bytes).map_err(|e| e.context(&path.display().to_string()))
    }

    /// Reads the lines; a first line whose numbers are none names the columns of this file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = core::str::from_utf8(bytes).map_err(|_| Error::usage("text that is not UTF-8"))?;
        let mut rules = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let numbers = match cells.as_slice() {
                [_, mean, scale] => mean.parse::<f64>().ok().zip(scale.parse::<f64>().ok()),
                _ => None,
            };
            match numbers {
                Some((mean, scale)) if mean.is_finite() && scale.is_normal() => {
                    rules.push((cells[0].to_owned(), mean, scale));
                }
                None if at == 0 && cells.len() == 3 => {}
                _ => {
                    let line = at + 1;
                    return Err(Error::usage(format!(
                        "line {line} is not `name,mean,deviation` of finite numbers"
                    )));
                }
            }
        }
        Ok(Self(rules))
    }
}

/// The text of a table: numbers print as they are read again.
#[must_use]
pub fn write(columns: &[String], values: &[f64]) -> String {
    let mut text = columns.join(",");
    text.push('\n');
    for row in values.chunks(columns.len().max(1)) {
        text += &row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trip_and_normalisation() {
        let mut table = Table::parse(b"a, b\n1,2.5\r\n\n-3e2,0\n").expect("a table");
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(Table::parse(write(&table.columns, &table.values).as_bytes()).expect("own text"), table);
        let rules = Normalisation::parse(b"name,mean,deviation\nb,0.5,2\na,1,1\n").expect("rules");
        table.normalise(&rules).expect("all columns");
        assert_eq!(table.values, [0.0, 1.0, -301.0, -0.25]);
        assert_eq!(table.into_array().shape, [2, 2]);
    }

    #[test]
    fn says_where_it_is_wrong() {
        for (text, part) in [
            ("", "empty"),
            ("1,2\n3,4\n", "names the columns"),
            ("a,b\n1,2\n1,x\n", "line 3, column `b`"),
            ("a,b\n1\n", "line 2"),
            ("a,b\n1,2,3\n", "line 2"),
        ] {
            let error = Table::parse(text.as_bytes()).expect_err(part).to_string();
            assert!(error.contains(part), "{error}");
        }
        for text in ["a,1,0\n", "a,1\n", "a,NaN,1\n", "n,m,d\nx,y,z\n"] {
            assert!(Normalisation::parse(text.as_bytes()).is_err(), "{text}");
        }
        let mut table = Table::parse(b"a\n1\n").expect("a table");
        let error =
            table.normalise(&Normalisation::parse(b"b,0,1").expect("a rule")).expect_err("no rule for a");
        assert!(error.to_string().contains("`a`"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[ab0-9,.\n-]{0,60}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = Table::parse(bytes);
                let _ = Normalisation::parse(bytes);
            }
        }
    }
}
