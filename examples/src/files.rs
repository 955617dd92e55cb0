//! Files that examples write.

use ezpc_core::{Error, Result};
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes a file completely or not at all: under another name beside it first.
pub fn save(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let write = || {
        let mut file = fs::File::create(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        // It may not even have been created.
        let _ = fs::remove_file(&part);
        Error::io(format!("cannot write {}", path.display()), error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_file_that_cannot_be_written() {
        let folder = std::env::temp_dir().join(format!("ezpc-save-{}", std::process::id()));
        fs::create_dir_all(folder.join("taken/inside")).expect("a temporary folder");
        save(&folder.join("file"), b"content").expect("it can be written");
        assert_eq!(fs::read(folder.join("file")).expect("it was written"), b"content");
        let error = save(&folder.join("taken"), b"content").expect_err("a folder is there");
        assert!(error.to_string().starts_with("cannot write "), "{error}");
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 2);
        fs::remove_dir_all(folder).expect("it is ours");
    }
}
