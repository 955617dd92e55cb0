//! Both parties in one thread, against plain ring arithmetic.

use super::*;
