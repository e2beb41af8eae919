//! `/c/{connection}/tables`.

use pgtrack_tracker::tracked_tables;

use super::Page;
use crate::connections::Shown;
use crate::view::tables::page;
use crate::visit::Visit;

pub(crate) async fn get(shown: Shown, visit: Visit) -> Page {
    let tables = tracked_tables(&*shown.database.read().await?).await?;
    Ok(page(&visit, &tables))
}
