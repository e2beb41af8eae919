use tokio_postgres::config::{Host, SslMode as DriverMode};

use super::{Environment, Settings};
use crate::tls::{RootCertificates, SslMode, SslNegotiation};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|variable| variable.0 == name);
        found.map(|variable| variable.1.to_owned())
    };
    Settings::read(text, Environment { variable: &variable }).map_err(|error| error.to_string())
}

fn described(text: &str, variables: &[(&str, &str)]) -> String {
    read(text, variables).unwrap().to_string()
}

#[test]
fn every_form_of_a_connection_string_is_understood() {
    for (text, expected) in [
        ("postgresql://ada@db/shop", "database `shop` at db:5432 as `ada`"),
        ("postgres://ada:x%40y@db:1,other/shop", "database `shop` at db:1, other:5432 as `ada`"),
        ("postgresql://ada@[::1]:7/shop", "database `shop` at ::1:7 as `ada`"),
        ("postgresql://ada@%2Frun%2Fpg/shop", "database `shop` at /run/pg:5432 as `ada`"),
        ("postgresql:///shop?host=/run/pg&user=ada", "database `shop` at /run/pg:5432 as `ada`"),
        ("host=db user = ada dbname='my shop'", "database `my shop` at db:5432 as `ada`"),
        (r"host=db user='a\'b' port=7", "database `a'b` at db:7 as `a'b`"),
    ] {
        assert_eq!(described(text, &[]), expected, "{text}");
    }
    let settings = read("postgresql://ada:x%40y@db/shop", &[]).unwrap();
    assert_eq!(settings.config.get_password(), Some(b"x@y".as_slice()));
}

#[test]
fn a_password_is_in_no_error() {
    for text in [
        "postgresql://ada:sesame/street@db/shop",
        "postgresql://ada:1/sesame@db/shop",
        "postgresql://ada:sesame?street@db/shop",
        "postgresql://ada:sesame?street=x@db/shop",
        "postgresql://ada:sesame@db:port/shop",
        "postgresql://ada:sesame@db/shop?sslmode",
        "mysql://ada:sesame@db/shop",
        "host=db password=open sesame user=ada",
        "host=db user=ada password=open sesame",
        "host=db user=ada password='sesame",
    ] {
        let error = read(text, &[("USER", "ada")]).unwrap_err();
        assert!(!error.contains("sesame") && !error.contains("street"), "{text}: {error}");
    }
    let error = read("postgresql://ada:a/b@db/shop", &[]).unwrap_err();
    assert!(error.contains("have to be written as %2F"), "{error}");
    // A user's name may have an @, too.
    assert_eq!(
        described("postgresql://db:5/shop?user=ada@x", &[]),
        "database `shop` at db:5 as `ada@x`"
    );
}

#[test]
fn a_password_of_the_environment_completes_a_url() {
    let variable = |name: &str| (name == "PGPASSWORD").then(|| "sesame".to_owned());
    let environment = Environment { variable: &variable };
    let read = |text| Settings::read_with_password(text, environment).unwrap();
    let settings = read("postgresql://ada@db/shop");
    assert_eq!(settings.config.get_password(), Some(b"sesame".as_slice()));
    let settings = read("postgresql://ada:own@db/shop");
    assert_eq!(settings.config.get_password(), Some(b"own".as_slice()));
    // Where it leads is what the URL says alone.
    assert!(Settings::read_with_password("postgresql://ada@/shop", environment).is_err());
    assert!(Settings::names_password("postgresql://ada:own@db/shop"));
    assert!(Settings::names_password("host=db password=own"));
    assert!(!Settings::names_password("postgresql://ada@db/shop"));
}

#[test]
fn what_is_not_said_comes_from_the_environment() {
    let variables = [("PGHOST", "db"), ("PGPORT", "7"), ("PGUSER", "ada"), ("PGDATABASE", "shop")];
    assert_eq!(described("", &variables), "database `shop` at db:7 as `ada`");
    assert_eq!(described("other", &variables), "database `other` at db:7 as `ada`");
    assert_eq!(
        described("postgresql://ben@here/", &variables),
        "database `shop` at here:7 as `ben`"
    );
    let settings = read("host=db", &[("USER", "ada"), ("PGPASSWORD", "x"), ("PGAPPNAME", "me")]);
    let config = settings.unwrap().config;
    assert_eq!(config.get_password(), Some(b"x".as_slice()));
    assert_eq!(config.get_application_name(), Some("me"));
    assert_eq!(config.get_dbname(), Some("ada"));
}

#[test]
fn services_and_passwords_are_found_in_their_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = std::env::temp_dir().join(format!("pgtrack-connect-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join(".pg_service.conf"), "[work]\nhost=db\ndbname=shop\nuser=ada\n")
        .unwrap();
    std::fs::write(home.join(".pgpass"), "db:*:shop:ada:secret\n").unwrap();
    let variables = [("HOME", home.to_str().unwrap()), ("PGUSER", "ben")];
    let allow = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(home.join(".pgpass"), permissions).unwrap();
    };
    allow(0o600);
    let settings = read("service=work port=7", &variables).unwrap();
    assert_eq!(settings.to_string(), "database `shop` at db:7 as `ada`");
    assert_eq!(settings.config.get_password(), Some(b"secret".as_slice()));
    assert!(settings.notices.is_empty());
    allow(0o644);
    let settings = read("service=work", &variables).unwrap();
    assert_eq!(settings.config.get_password(), None);
    assert!(settings.notices[0].contains("chmod 600"), "{:?}", settings.notices);
    let missing = read("service=play", &variables).unwrap_err();
    assert!(missing.starts_with("the service `play` is in none of the service files"), "{missing}");
    std::fs::remove_dir_all(home).unwrap();
}

#[test]
fn encryption_is_as_in_libpq() {
    let tls = |parameters: &str| read(&format!("postgresql://ada@db/shop?{parameters}"), &[]);
    let settings = tls("").unwrap();
    assert_eq!(settings.tls.mode, SslMode::Prefer);
    assert_eq!(settings.config.get_ssl_mode(), DriverMode::Prefer);
    let settings = tls("sslmode=verify-full&sslrootcert=/ca.crt&sslnegotiation=direct").unwrap();
    assert_eq!(settings.tls.root, Some(RootCertificates::File("/ca.crt".into())));
    assert_eq!(settings.tls.negotiation, SslNegotiation::Direct);
    assert_eq!(settings.config.get_ssl_mode(), DriverMode::Require);
    assert_eq!(tls("sslrootcert=system").unwrap().tls.mode, SslMode::VerifyFull);
    assert!(tls("sslmode=verify-ca").unwrap_err().contains("sslrootcert=system"));
    // A unix socket has none, whatever is asked for.
    let settings = read("host=/run/pg user=ada sslmode=require", &[]).unwrap();
    assert_eq!(settings.config.get_ssl_mode(), DriverMode::Disable);
    assert!(matches!(settings.config.get_hosts(), [Host::Unix(_)]));
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        ("mysql://ada@db/shop", "begin with postgresql://"),
        ("postgresql://ada@db/shop?sslmode=on", "`sslmode` cannot be `on`"),
        ("postgresql://ada@db:http/shop", "`port` cannot be `http`"),
        ("postgresql://ada@db/shop?color=red", "no setting `color`"),
        ("postgresql://ada@db/shop?sslmode", "a parameter behind the ? has no value"),
        ("host=db user='ada", "a quoted value does not end"),
        ("host=db", "no user is given"),
    ] {
        let report = read(text, &[]).unwrap_err();
        assert!(report.contains(expected), "{text}: {report}");
    }
}
