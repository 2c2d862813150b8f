//! The checks of the fuzz targets. The targets themselves have one line each, so that the corpora can be replayed as
//! tests, with any compiler and without `libFuzzer`.

#![forbid(unsafe_code)]

pub mod altered;
pub mod decode;
pub mod node;
pub mod script;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Hands every file of a corpus to `check`, and names all that fail.
    fn replay(corpus: &str, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(corpus);
        let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty());
        files.retain(|file| {
            println!("{}", file.display());
            let bytes = std::fs::read(file).unwrap();
            std::panic::catch_unwind(|| check(&bytes)).is_err()
        });
        assert!(files.is_empty(), "{files:#?}");
    }

    #[test]
    fn the_decoder_agrees_with_serde_json_on_its_corpus() {
        replay("decode", crate::decode::check);
    }

    #[test]
    fn whoever_is_lied_to_agrees_in_the_end() {
        replay("altered", crate::altered::check);
    }

    #[test]
    fn nodes_survive_their_corpus() {
        replay("node", crate::node::check);
    }
}
