//! Tensors of shares.

use ezpc_core::protocol::ShareVec;
use ezpc_core::{Error, Result};

/// A batch of tensors of one shape, row-major, the batch in front.
#[derive(Clone)]
pub struct Tensor<V> {
    batch: usize,
    shape: Vec<usize>,
    data: V,
}

impl<V: ShareVec> Tensor<V> {
    /// `batch` samples of `shape`.
    pub fn new(batch: usize, shape: &[usize], data: V) -> Result<Self> {
        let want = batch * shape.iter().product::<usize>();
        if data.len() != want {
            return Err(Error::usage(format!(
                "{} elements for {batch} samples of shape {shape:?}",
                data.len()
            )));
        }
        Ok(Self { batch, shape: shape.to_vec(), data })
    }

    /// The number of samples.
    #[must_use]
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// The shape of one sample.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The shares.
    #[must_use]
    pub const fn data(&self) -> &V {
        &self.data
    }

    /// Takes the shares out.
    #[must_use]
    pub fn into_data(self) -> V {
        self.data
    }

    /// The same shape around other shares of the same number.
    #[must_use]
    pub fn with(&self, data: V) -> Self {
        assert!(data.len() == self.data.len(), "{} shares in place of {}", data.len(), self.data.len());
        Self { batch: self.batch, shape: self.shape.clone(), data }
    }

    /// The same elements as samples of another shape.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        Self::new(self.batch, shape, self.data)
    }

    /// The elements at `places` of each sample, as samples of `shape`.
    pub fn pick(&self, shape: &[usize], places: &[usize]) -> Result<Self> {
        if self.batch == 1 {
            return Self::new(1, shape, self.data.gather(places));
        }
        let size: usize = self.shape.iter().product();
        let all: Vec<usize> =
            (0..self.batch).flat_map(|b| places.iter().map(move |p| b * size + p)).collect();
        Self::new(self.batch, shape, self.data.gather(&all))
    }
}
