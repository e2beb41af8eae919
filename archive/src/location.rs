//! Where an archive is, and what is done to its files.

use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::Error;

/// An archive: a folder, here or in an object store.
pub struct Archive {
    store: Arc<dyn ObjectStore>,
    root: Path,
}

impl Archive {
    /// The archive at a URL (`file:///var/archive`, `s3://bucket/path`, `gs://bucket/path`, `az://container/path`)
    /// or a path. What stores want to know (`aws_access_key_id`, `aws_endpoint`, `azure_storage_account_key`,
    /// `google_service_account`, ...) is in `settings`.
    ///
    /// # Errors
    /// When the URL is of no kind that is known, or the local folder cannot be made.
    pub fn open(
        url: &str,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let bad = |reason: String| Error::Url { url: url.to_owned(), reason };
        let Some((scheme, _)) = url.split_once("://") else {
            return Self::folder(FilePath::new(url)).map_err(bad);
        };
        let parsed = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if scheme == "file" {
            let path = parsed.to_file_path().map_err(|()| bad("it names no local path".into()))?;
            return Self::folder(&path).map_err(bad);
        }
        if !matches!(scheme, "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" | "adl") {
            return Err(bad("use a path, or a URL of file, s3, gs, az or abfss".into()));
        }
        Self::remote(&parsed, settings).map_err(bad)
    }

    fn folder(path: &FilePath) -> Result<Self, String> {
        std::fs::create_dir_all(path).map_err(|error| error.to_string())?;
        // What purge relies on has to survive a power failure.
        let store = LocalFileSystem::new_with_prefix(path)
            .map_err(|error| error.to_string())?
            .with_fsync(true);
        Ok(Self { store: Arc::new(store), root: Path::default() })
    }

    #[cfg(feature = "cloud")]
    fn remote(
        url: &Url,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        // Whoever was first has chosen for the process; everybody here would choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (store, root) =
            object_store::parse_url_opts(url, settings).map_err(|error| error.to_string())?;
        Ok(Self { store: store.into(), root })
    }

    #[cfg(not(feature = "cloud"))]
    fn remote(_: &Url, _: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        Err("this program was built without object stores (cargo feature `cloud`)".into())
    }

    fn place(&self, path: &str) -> Path {
        path.split('/').fold(self.root.clone(), Path::join)
    }

    /// A file, if there is one.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let failed = || Error::store(format!("read `{path}`"));
        match self.store.get(&self.place(path)).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(failed())?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed()(error)),
        }
    }

    /// What a JSON file says, if there is one.
    pub(crate) async fn record<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.read(path).await? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| Error::Record { path: path.to_owned(), source })
    }

    /// Writes a JSON file unless there is one; says whether it did.
    pub(crate) async fn create(&self, path: &str, record: &impl Serialize) -> Result<bool, Error> {
        let mut text = serde_json::to_vec_pretty(record)
            .map_err(|source| Error::Record { path: path.to_owned(), source })?;
        text.push(b'\n');
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&self.place(path), text.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(Error::store(format!("write `{path}`"))(error)),
        }
    }

    /// Writes a file, whole or not at all.
    pub(crate) async fn write(&self, path: &str, content: Bytes) -> Result<(), Error> {
        let written = self.store.put(&self.place(path), content.into()).await;
        written.map(|_| ()).map_err(Error::store(format!("write `{path}`")))
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<(), Error> {
        match self.store.delete(&self.place(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::store(format!("delete `{path}`"))(error)),
        }
    }

    /// The paths of all files in a folder and the folders in it.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let failed = || Error::store(format!("list `{folder}`"));
        let found: Vec<_> =
            self.store.list(Some(&self.place(folder))).try_collect().await.map_err(failed())?;
        let strip = self.root.as_ref();
        Ok(found
            .into_iter()
            .filter_map(|object| {
                let path = object.location.as_ref().strip_prefix(strip)?;
                Some(path.trim_start_matches('/').to_owned())
            })
            .collect())
    }
}
