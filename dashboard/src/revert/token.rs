//! What stands for a plan in a form.
//!
//! A plain digest of a plan would let somebody who does not see a value try values until the digest is right. So it
//! is made with a key that stays in the database.

use hkdf::Hkdf;
use pgtrack_tracker::revert::Plan;
use sha2::Sha256;

use crate::app_error::AppError;
use crate::hex;
use crate::state::AppState;
use crate::store::secrets;

const LENGTH: usize = 32;

/// Makes tokens.
#[derive(Clone)]
pub(crate) struct PlanKey(Vec<u8>);

/// Never shows the key.
impl std::fmt::Debug for PlanKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PlanKey")
    }
}

impl PlanKey {
    /// The one that all dashboards of the database share.
    pub(crate) async fn of(state: &AppState) -> Result<&Self, AppError> {
        let load = async || {
            let client = state.database.read().await?;
            Ok(Self(secrets::plan_key(&client).await?))
        };
        state.plan_key.get_or_try_init(load).await
    }

    pub(crate) fn token(&self, plan: &Plan) -> String {
        let mut token = [0; LENGTH];
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(plan.token.as_bytes(), &mut token)
            .expect("32 bytes are not too many");
        hex::encode(&token)
    }
}
