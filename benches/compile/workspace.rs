//! The crates that are compiled, in a workspace of their own under `target`.

use crate::Outcome;
use crate::source::{self, Kind, Types};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The packages, with the versions of this repository's lock file.
    pub(crate) fn create() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile");
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let repository = repository.canonicalize()?;
        for kind in Kind::ALL {
            fs::create_dir_all(root.join(package(kind)).join("src"))?;
            let dependency = kind.dependency(&repository.to_string_lossy());
            let manifest = format!(
                "[package]\nname = {:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
                 serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n\
                 {dependency}\n",
                package(kind),
            );
            fs::write(root.join(package(kind)).join("Cargo.toml"), manifest)?;
        }
        let members = Kind::ALL.map(package);
        let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n");
        fs::write(root.join("Cargo.toml"), manifest)?;
        fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock"))?;
        let workspace = Self { root };
        for kind in Kind::ALL {
            // Cargo reads every package of the workspace before it builds one.
            workspace.write(kind, Types::Own)?;
        }
        Ok(workspace)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where what is built goes, dependencies included: they are built once.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Writes the text of a package anew, so that it is compiled again.
    pub(crate) fn write(&self, kind: Kind, types: Types) -> Outcome {
        let text = source::text(kind, types)?;
        fs::write(self.root.join(package(kind)).join("src/lib.rs"), text)?;
        Ok(())
    }
}

pub(crate) fn package(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "cost-plain",
        Kind::Millpond => "cost-millpond",
        Kind::Cached => "cost-cached",
    }
}
