//! `/healthz`: whether the process answers. Says nothing about the database: restarting us would not help it.

pub(crate) async fn get() -> &'static str {
    "ok\n"
}
