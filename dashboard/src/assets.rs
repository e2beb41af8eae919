//! The stylesheet, the script and the icon: in the binary, and named by their content, so that they can be kept for
//! ever and a new version is fetched at once.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

use crate::hex;

/// A file that pages refer to.
#[derive(Debug)]
pub(crate) struct Asset {
    name: String,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

pub(crate) static APP_CSS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app.css", "text/css; charset=utf-8", include_bytes!("../assets/app.css"))
});
pub(crate) static APP_JS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/app.js"))
});
pub(crate) static FAVICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("favicon.svg", "image/svg+xml", include_bytes!("../assets/favicon.svg"))
});

impl Asset {
    fn new(name: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let hash = hex::encode(&digest[..8]);
        Self { name: format!("{hash}-{name}"), content_type, bytes }
    }

    /// Where pages find it.
    pub(crate) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The asset of this name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    [&*APP_CSS, &*APP_JS, &*FAVICON].into_iter().find(|asset| asset.name == name)
}
