//! The archive that `export --to` and `purge --exported` are about.

use pgtrack_archive::Archive;

use crate::error::Error;

/// The archive at a path or URL. As their own tools do, object stores take what they need to know from the environment.
pub(crate) fn open(url: &str) -> Result<Archive, Error> {
    let settings = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_for_stores =
            ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|prefix| name.starts_with(prefix));
        is_for_stores.then_some(())?;
        Some((name.to_ascii_lowercase(), value.into_string().ok()?))
    });
    Ok(Archive::open(url, settings)?)
}
