//! Reads the PROXY protocol header that a trusted load balancer puts in front of a connection.

use std::io;
use std::net::SocketAddr;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Error;
use crate::protocol::forwarded::{
    FIXED_BYTES, Forwarded, MAX_LINE_BYTES, SIGNATURE, rest_bytes, version_1, version_2,
};

/// Whether connections from this address begin with a header.
pub(super) fn is_expected_from(address: Option<SocketAddr>, networks: &[IpNet]) -> bool {
    let Some(address) = address else { return false };
    networks.iter().any(|network| network.contains(&address.ip().to_canonical()))
}

/// Reads the header and not a byte more: what follows may be anything, TLS for one.
pub(super) async fn read(client: &mut (impl AsyncRead + Unpin)) -> Result<Forwarded, Error> {
    // Shorter than either version.
    let mut start = [0; SIGNATURE.len()];
    client.read_exact(&mut start).await.map_err(broken)?;
    let forwarded = if start == SIGNATURE {
        let mut fixed = [0; FIXED_BYTES];
        let (signature, behind) = fixed.split_at_mut(SIGNATURE.len());
        signature.copy_from_slice(&start);
        client.read_exact(behind).await.map_err(broken)?;
        let mut rest = vec![0; rest_bytes(fixed)];
        client.read_exact(&mut rest).await.map_err(broken)?;
        version_2(fixed, &rest)
    } else {
        let mut line = start.to_vec();
        while !line.ends_with(b"\r\n") && line.len() < MAX_LINE_BYTES {
            line.push(client.read_u8().await.map_err(broken)?);
        }
        version_1(&line)
    };
    forwarded.ok_or(Error::ProxyHeader)
}

fn broken(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        Error::ProxyHeader
    } else {
        Error::LostClient(error)
    }
}
