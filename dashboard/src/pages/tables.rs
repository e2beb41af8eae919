//! `/c/{connection}/tables`.

use pgtrack_tracker::tracked_tables;

use super::{Page, State};
use crate::view::tables::page;
use crate::visit::Visit;

pub(crate) async fn get(state: State, visit: Visit) -> Page {
    let tables = tracked_tables(&*state.database.read().await?).await?;
    Ok(page(&visit, &tables))
}
