//! Whatever an application does, it sees what it would see without tracking, and history tells it as it was.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::random::Step;
use super::trial::try_law;
use super::twin_statements::{Act, History, history};
use super::world::compare;
use crate::support::{Session, on_outer_versions};

/// Copies of the tables, and how they differ from what history says.
const COPIES: &str = r#"
    CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE SCHEMA shop; CREATE SCHEMA law;
    CREATE TABLE law.copy (name text, relid oid, "row" jsonb);
    CREATE TABLE law.copied (name text, relid oid, columns int[]);
    CREATE FUNCTION law.tables() RETURNS TABLE (relid oid, columns int[]) LANGUAGE sql AS $f$
        SELECT c.oid, (SELECT array_agg(a.attnum::int) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
        FROM pg_class c WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    $f$;
    CREATE FUNCTION law.rows(point text, relids oid[]) RETURNS TABLE (relid oid, place text, "row" jsonb) LANGUAGE plpgsql AS $f$
    DECLARE
        t record;
    BEGIN
        FOR t IN
            SELECT c.oid, c.oid::regclass::text AS name, c.relkind = 'r' AS is_plain,
                (SELECT string_agg(format('%s, t.%I::text', a.attnum, a.attname), ', ') FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
            FROM pg_class c WHERE c.oid = ANY (relids)
        LOOP
            RETURN QUERY EXECUTE CASE WHEN point IS NULL
                THEN format('SELECT %s::oid, t.tableoid::regclass::text, jsonb_build_object(%s) FROM %s%s t',
                            t.oid, t.columns, CASE WHEN t.is_plain THEN 'ONLY ' END, t.name)
                ELSE format('SELECT %s::oid, %L, jsonb_build_object(%s) FROM pgtrack.as_of(NULL::%s, %L) t', t.oid, t.name, t.columns, t.name, point)
            END;
        END LOOP;
    END $f$;
    CREATE FUNCTION law.take(name text) RETURNS void LANGUAGE sql AS $f$
        INSERT INTO law.copied SELECT name, t.relid, t.columns FROM law.tables() t;
        INSERT INTO law.copy SELECT name, r.relid, r."row" FROM law.rows(NULL, ARRAY(SELECT t.relid FROM law.tables() t)) r;
    $f$;
    CREATE FUNCTION law.differences(name text, point text) RETURNS SETOF text LANGUAGE sql AS $f$
        WITH known AS (
            SELECT c.relid, ARRAY(SELECT u::text FROM unnest(c.columns) u INTERSECT SELECT u::text FROM unnest(t.columns) u) AS columns
            FROM law.copied c JOIN law.tables() t USING (relid) WHERE c.name = $1
        ), expected AS (
            SELECT c.relid, (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(c."row") e WHERE e.key = ANY (k.columns)) AS "row"
            FROM law.copy c JOIN known k USING (relid) WHERE c.name = $1
        ), actual AS (
            SELECT c.relid, (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(c."row") e WHERE e.key = ANY (k.columns)) AS "row"
            FROM law.rows(point, ARRAY(SELECT relid FROM known)) c JOIN known k USING (relid)
        ), missing AS (TABLE expected EXCEPT ALL TABLE actual), excess AS (TABLE actual EXCEPT ALL TABLE expected)
        SELECT format('%s: missing %s', relid::regclass, "row") FROM missing
        UNION ALL SELECT format('%s: unexpected %s', relid::regclass, "row") FROM excess
    $f$;"#;

const STATE: &str = r#"SELECT r.place, r."row" FROM law.rows(NULL, ARRAY(SELECT t.relid FROM law.tables() t)) r ORDER BY r.place COLLATE "C", r."row"::text COLLATE "C""#;

/// What an undo may be refused with, and what docs/limits.md says of that.
const REFUSALS: [(&str, &str); 4] = [
    (
        "that this would give another key",
        "Where `ON UPDATE SET NULL` or `SET DEFAULT` would make rows forget whom they refer to, the undo is refused",
    ),
    (
        "that passed from one row to another cannot be set back",
        "**Keys that pass from one row to another**",
    ),
    ("cannot be set back one after the other", "**Values that go round in a circle**"),
    (
        " changed since",
        "An undo of what was done to it before may then be refused, as changed since (`TK001`)",
    ),
];
const LIMITS: &str = include_str!("../../../../docs/limits.md");

#[test]
fn tracking_is_not_noticed_and_history_is_exact() {
    on_outer_versions(async |session| {
        let twin = Session::open(session.database.server().database().await).await;
        for side in [&session, &twin] {
            side.run(COPIES).await;
        }
        let worlds = Worlds {
            tracked: [&session, &session.another().await],
            twin: [&twin, &twin.another().await],
            renamed: RefCell::default(),
        };
        let refused = RefCell::default();
        try_law(4, history(8), async |history| worlds.check(&history, &refused).await).await;
        say(&format!("undos that were refused: {:#?}", refused.borrow()));
        twin.database.clone().remove().await;
    });
}

/// The same tables with and without tracking, each reached through two sessions.
struct Worlds<'a> {
    tracked: [&'a Session; 2],
    twin: [&'a Session; 2],
    /// What tables and columns are called now, by the names that statements have for them.
    renamed: RefCell<Vec<(String, String)>>,
}

/// How often an undo was refused with which error.
type Refused = BTreeMap<String, u32>;

/// An act, and the transactions in it.
type Done = (usize, Vec<String>);

impl Worlds<'_> {
    async fn check(&self, history: &History, refused: &RefCell<Refused>) -> Result<(), String> {
        let done = self.live(history).await?;
        let last = history.acts.len();
        self.is_told("after all").await?;
        for number in 0..=last {
            self.is_as(number, Some(&format!("t{number}"))).await?;
        }
        let undone = self.go_back(history, &done, refused).await?;
        self.is_told("after the undo").await?;
        for number in 0..=last {
            self.is_as(number, Some(&format!("t{number}"))).await?;
        }
        if history.is_exact {
            for (number, xids) in undone.iter().rev() {
                for xid in xids.iter().rev() {
                    undo(self.tracked[0], xid)
                        .await
                        .map_err(|error| format!("undo of the undo {xid}: {error}"))?;
                }
                self.is_as(number + 1, None)
                    .await
                    .map_err(|reason| format!("after undo of undo {xids:?}: {reason}"))?;
            }
        }
        Ok(())
    }

    /// Lets it all happen on both sides.
    async fn live(&self, history: &History) -> Result<Vec<Done>, String> {
        self.renamed.borrow_mut().clear();
        let begin = "SET client_min_messages = error; DROP SCHEMA IF EXISTS shop CASCADE; TRUNCATE law.copy, law.copied; CREATE SCHEMA shop";
        let session = self.tracked[0];
        session
            .run("ROLLBACK; SELECT pgtrack.untrack(schema_name) FROM pgtrack.tracked_schema")
            .await;
        for side in [self.tracked, self.twin] {
            side[0].run(&format!("ROLLBACK; {begin}")).await;
            side[1].run("SET search_path = shop").await;
            side[0].run(&format!("SET search_path = shop; {}", history.schema)).await;
        }
        session
            .run("SELECT pgtrack.untag(name) FROM pgtrack.tags(); SELECT pgtrack.track('shop')")
            .await;
        self.tag(0).await;
        let mut done: Vec<Done> = Vec::new();
        for (number, act) in history.acts.iter().enumerate() {
            let before =
                session.rows("SELECT coalesce(max(statement_id), 0) FROM pgtrack.statement").await;
            self.act(act).await.map_err(|reason| format!("act {number}: {reason}"))?;
            let (tracked, twin) = (session.rows(STATE).await, self.twin[0].rows(STATE).await);
            compare(&format!("act {number}: other rows than without tracking"), &tracked, &twin)?;
            self.tag(number + 1).await;
            let xids = session
                .rows(&format!("SELECT xid FROM pgtrack.statement WHERE statement_id > {before} GROUP BY xid ORDER BY xid"))
                .await;
            done.push((number, xids.lines().map(ToOwned::to_owned).collect()));
        }
        Ok(done)
    }

    async fn act(&self, act: &Act) -> Result<(), String> {
        match act {
            Act::Alone(statement) => self.same(0, statement).await.map(drop),
            Act::Define(statement) => {
                if self.same(0, statement).await? {
                    self.rename(statement);
                }
                Ok(())
            }
            Act::Transaction { isolation, meanwhile, savepoints, steps } => {
                self.same(0, &format!("BEGIN ISOLATION LEVEL {isolation}")).await?;
                if let Some(statement) = meanwhile {
                    self.same(0, "SELECT").await?;
                    self.same(1, statement).await?;
                }
                for step in steps {
                    if !self.step(step, *savepoints).await? {
                        break;
                    }
                }
                self.same(0, "COMMIT").await.map(drop)
            }
        }
    }

    /// Whether the transaction goes on.
    async fn step(&self, step: &Step, savepoints: bool) -> Result<bool, String> {
        let (statements, keep) = match step {
            Step::Do(statement) => (std::slice::from_ref(statement), true),
            Step::Abandon(statements) => (statements.as_slice(), false),
        };
        if savepoints || !keep {
            self.same(0, "SAVEPOINT step").await?;
        }
        let mut succeeded = true;
        for statement in statements {
            succeeded = succeeded && self.same(0, statement).await?;
        }
        if !keep || (!succeeded && savepoints) {
            self.same(0, "ROLLBACK TO step").await?;
            return Ok(true);
        }
        Ok(succeeded)
    }

    /// Runs a statement on both sides, and returns whether it succeeded on both.
    async fn same(&self, session: usize, statement: &str) -> Result<bool, String> {
        let statement = self.with_present_names(statement);
        let tracked = self.tracked[session].outcome(&statement).await;
        let twin = self.twin[session].outcome(&statement).await;
        if tracked != twin {
            return Err(format!("{statement}\nwith tracking: {tracked:?}\nwithout: {twin:?}"));
        }
        Ok(tracked.is_ok())
    }

    fn with_present_names(&self, statement: &str) -> String {
        let mut text = String::new();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        for word in statement.split_inclusive(|c| !is_part(c)) {
            let name = word.trim_end_matches(|c| !is_part(c));
            let renamed = self.renamed.borrow();
            let now = renamed.iter().find(|(was, _)| was == name).map_or(name, |(_, now)| now);
            text.push_str(now);
            text.push_str(&word[name.len()..]);
        }
        text
    }

    fn rename(&self, statement: &str) {
        let words: Vec<_> = statement.split(' ').collect();
        let ([_, _, _, "RENAME", "COLUMN", was, "TO", now] | [_, _, was, "RENAME", "TO", now]) =
            words[..]
        else {
            return;
        };
        let mut renamed = self.renamed.borrow_mut();
        renamed.retain(|(name, _)| name != was);
        renamed.push((was.to_owned(), now.to_owned()));
    }

    /// Notes how things are now.
    async fn tag(&self, number: usize) {
        self.tracked[0]
            .run(&format!("SELECT pgtrack.tag('t{number}'), law.take('t{number}')"))
            .await;
    }

    /// That history tells of every row.
    async fn is_told(&self, when: &str) -> Result<(), String> {
        let problems = self.tracked[0].rows("SELECT * FROM pgtrack.verify()").await;
        if problems.is_empty() { Ok(()) } else { Err(format!("verify() {when}: {problems}")) }
    }

    /// That the tables, now or at a point, are what they were then.
    async fn is_as(&self, number: usize, point: Option<&str>) -> Result<(), String> {
        let at = point.map_or("NULL".to_owned(), |point| format!("'{point}'"));
        let sql = format!(
            "CREATE TEMP TABLE IF NOT EXISTS found (line text); TRUNCATE found; INSERT INTO found SELECT law.differences('t{number}', {at})"
        );
        if let Err(error) = self.tracked[0].attempt(&sql).await {
            return Err(format!("as of {at}: {error}"));
        }
        let found = self.tracked[0].rows("SELECT line FROM found ORDER BY line").await;
        if found.is_empty() {
            Ok(())
        } else {
            Err(format!("as of {at}, expected is t{number}:\n{found}"))
        }
    }

    /// Undoes every transaction, latest first, until one is refused. Returns the undos of each act.
    async fn go_back(
        &self,
        history: &History,
        done: &[Done],
        refused: &RefCell<Refused>,
    ) -> Result<Vec<Done>, String> {
        let mut undone = Vec::new();
        for (number, xids) in done.iter().rev() {
            let mut undos = Vec::new();
            for xid in xids.iter().rev() {
                let state = self.tracked[0].rows(STATE).await;
                match undo(self.tracked[0], xid).await {
                    Ok(undo) => undos.extend(undo),
                    Err(error) => {
                        if self.tracked[0].rows(STATE).await != state {
                            return Err(format!("a refused undo has changed something: {error}"));
                        }
                        let is_known = |(part, limit): &(&str, &str)| {
                            error.contains(part) && LIMITS.contains(limit)
                        };
                        if history.is_exact && !REFUSALS.iter().any(is_known) {
                            return Err(format!("undo of act {number}, {xid}: {error}"));
                        }
                        *refused
                            .borrow_mut()
                            .entry(error.lines().next().unwrap_or_default().to_owned())
                            .or_default() += 1;
                        return Ok(undone);
                    }
                }
            }
            if history.is_exact {
                self.is_as(*number, None)
                    .await
                    .map_err(|reason| format!("after undo of act {number}, {xids:?}: {reason}"))?;
            }
            undone.push((*number, undos));
        }
        Ok(undone)
    }
}

#[expect(clippy::print_stdout, reason = "for whoever tries many")]
fn say(text: &str) {
    println!("{text}");
}

/// Undoes a transaction. Returns the xid of the undo, unless there was nothing to do.
async fn undo(session: &Session, xid: &str) -> Result<Option<String>, String> {
    session.attempt(&format!("SELECT pgtrack.undo_transaction({xid})")).await?;
    let undo = session
        .rows(&format!("SELECT xid FROM pgtrack.activity WHERE reverts = 'xid:{xid}' LIMIT 1"))
        .await;
    Ok((!undo.is_empty()).then_some(undo))
}
