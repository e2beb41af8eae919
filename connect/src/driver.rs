//! TLS for the database driver.

use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{TlsError, UpstreamTls};

/// What the driver connects with. Reads the files that the settings name.
///
/// # Errors
/// As [`UpstreamTls::client_config`].
pub fn connector(tls: &UpstreamTls) -> Result<MakeRustlsConnect, TlsError> {
    Ok(MakeRustlsConnect::new(tls.client_config()?))
}
