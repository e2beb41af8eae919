//! Seals the kept passwords, and where digests are sent, again, after the key has been replaced.

use pgtrack_connect::{Connector, Settings};

use crate::database::connect;
use crate::digests::seal_again;
use crate::error::Error;
use crate::seal::KeyRing;
use crate::store::{connections, create_schema, digests};

/// Opens what is kept with whatever key of the ring it was sealed with, and seals it with the first one.
/// Returns how many were sealed again. After this the other keys are not needed any more.
///
/// # Errors
/// When the database cannot be reached, or something was sealed with a key that is not in the ring; those that
/// can be opened have been sealed again then.
pub async fn rekey(database: &Settings, keys: &KeyRing) -> Result<usize, Error> {
    let connector = Connector::load(&database.tls)?;
    let mut client = connect(&database.config, &connector).await.map_err(Error::Prepare)?;
    create_schema(&mut client).await.map_err(Error::Prepare)?;
    let (mut count, mut lost) = (0, Vec::new());
    for saved in connections::list(&client).await.map_err(Error::Prepare)? {
        let Some(sealed) = saved.sealed_password.filter(|sealed| !keys.is_current(sealed)) else {
            continue;
        };
        let subject = saved.id.to_string();
        let again = keys.open(&subject, &sealed).and_then(|secret| keys.seal(&subject, &secret));
        match again {
            Some(again) => {
                connections::set_password(&client, saved.id, Some(&again))
                    .await
                    .map_err(Error::Prepare)?;
                count += 1;
            }
            None => lost.push(saved.details.slug),
        }
    }
    for digest in digests::all(&client).await.map_err(Error::Prepare)? {
        let mut sealed =
            [Some(&digest.sealed.url), digest.sealed.secret.as_ref()].into_iter().flatten();
        if sealed.all(|sealed| keys.is_current(sealed)) {
            continue;
        }
        match seal_again(keys, &digest) {
            Some(again) => {
                digests::set_sealed(&client, &digest.id, &again).await.map_err(Error::Prepare)?;
                count += 1;
            }
            None => lost.push(format!("digest {} of {}", digest.details.name, digest.connection)),
        }
    }
    if lost.is_empty() { Ok(count) } else { Err(Error::MissingKey { lost: lost.join(", ") }) }
}
