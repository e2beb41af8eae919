//! A row reverted to a version is what it was after that version, its history says so, and an undo takes it back.

use super::random::transactions;
use super::trial::try_law;
use super::world::{TABLES, World, compare};
use crate::support::on_outer_versions;

#[test]
fn a_row_reverted_to_a_version_is_that_version_and_versions_are_dense() {
    on_outer_versions(async |session| {
        try_law(6, transactions(6), async |history| {
            let world = World::create(&session).await;
            for transaction in &history {
                world.transact(transaction).await;
            }
            let present = world.state().await;
            for table in TABLES {
                // The keys of rows that are there, and of rows that are gone, with no other row that has had the key since
                // and lives under another.
                let keys = session
                    .rows(&format!(
                        "SELECT row_pk FROM pgtrack.changes('{table}', 1000)
                         WHERE EXISTS (SELECT FROM shop.{table} t WHERE to_jsonb(t) @> row_pk)
                         UNION SELECT row_pk FROM pgtrack.deleted('{table}', 1000)
                         WHERE (SELECT h.after FROM pgtrack.history_pk('{table}', row_pk) h ORDER BY h.ver DESC NULLS LAST LIMIT 1) IS NULL"
                    ))
                    .await;
                for key in keys.lines() {
                    let row = Row { world: &world, table, key };
                    let versions = row.versions().await?;
                    for version in 1..=versions.len() {
                        session.run("BEGIN").await;
                        row.check_revert(version, &versions).await?;
                        session.run("ROLLBACK").await;
                    }
                }
            }
            compare("after all the rollbacks", &world.state().await, &present)
        })
        .await;
    });
}

struct Row<'a> {
    world: &'a World<'a>,
    table: &'static str,
    key: &'a str,
}

impl Row<'_> {
    /// The row after each version, `~` where it was deleted, oldest first.
    async fn versions(&self) -> Result<Vec<String>, String> {
        let text = self
            .world
            .session
            .rows(&format!(
                "SELECT ver, after FROM pgtrack.history_pk('{}', '{}') WHERE ver IS NOT NULL",
                self.table, self.key
            ))
            .await;
        let (numbers, images): (Vec<_>, Vec<_>) =
            text.lines().map(|line| line.split_once('|').expect("two columns")).unzip();
        let dense: Vec<_> = (1..=numbers.len()).map(|number| number.to_string()).collect();
        if numbers != dense {
            return Err(format!("{} {}: versions {numbers:?}", self.table, self.key));
        }
        Ok(images.into_iter().map(ToOwned::to_owned).collect())
    }

    /// Reverts to a version and takes it back. Constraints may forbid it.
    async fn check_revert(&self, version: usize, before: &[String]) -> Result<(), String> {
        let (table, key, session) = (self.table, self.key, self.world.session);
        let what = format!("{table} {key} reverted to version {version} of {before:?}");
        if let Err(error) = session
            .attempt(&format!("SELECT pgtrack.revert_pk('{table}', '{key}', {version})"))
            .await
        {
            return if error.starts_with("23") { Ok(()) } else { Err(format!("{what}: {error}")) };
        }
        let wanted = &before[version - 1];
        let is_live = session
            .rows(&format!(
                "SELECT count(*) FROM shop.{table} t WHERE to_jsonb(t)::text = $row${wanted}$row$"
            ))
            .await;
        if is_live != if wanted == "~" { "0" } else { "1" } {
            return Err(format!("{what}: it is there {is_live} times"));
        }
        if before.last().is_some_and(|last| last == "~") && self.had_another_key(wanted).await {
            // A deleted row that comes back under an earlier key begins a history of its own there.
            return Ok(());
        }
        let after = self.versions().await?;
        if self.had_another_key(wanted).await && self.was_another_row(&before[version - 1..]).await
        {
            // It comes back beside this one, which stays as it is.
            return if after == before { Ok(()) } else { Err(format!("{what}: {after:?}")) };
        }
        if after.last() == Some(wanted)
            && self.was_another_row(&before[before.len().saturating_sub(2)..]).await
        {
            return Ok(()); // As above, but the earlier key is the one that was asked for.
        }
        if after.last() != Some(wanted) || !after.starts_with(before) {
            return Err(format!("{what}: {after:?}"));
        }
        if after.len() == before.len() {
            return Ok(()); // It was like that already.
        }
        if let Err(error) =
            session.attempt(&format!("SELECT pgtrack.undo_pk('{table}', '{key}')")).await
        {
            return if error.starts_with("23") {
                Ok(())
            } else {
                Err(format!("{what}, undone: {error}"))
            };
        }
        let undone = self.versions().await?;
        if undone.last() != before.last() {
            return Err(format!("{what}, undone: {undone:?}"));
        }
        Ok(())
    }

    /// Whether the first of these versions is of a row that was deleted under another key.
    async fn was_another_row(&self, versions: &[String]) -> bool {
        for pair in versions.windows(2) {
            if pair[1] == "~" && self.had_another_key(&pair[0]).await {
                return true;
            }
        }
        false
    }

    /// Whether a version of the row was under another key.
    async fn had_another_key(&self, image: &str) -> bool {
        image != "~"
            && self
                .world
                .session
                .rows(&format!("SELECT $row${image}$row$::jsonb @> '{}'", self.key))
                .await
                == "f"
    }
}
