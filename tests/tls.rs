//! RESP over TLS, with a real server: certificates of an authority that is trusted pass, others do not, and nothing
//! is sent where they do not. Both engines trust the same authorities.

#![cfg(all(feature = "upstash", feature = "redis"))]

mod support;

use millpond::{ErrorKind, Millpond};
use millpond_gateway::program::present_or_required;
use millpond_gateway::{RedisServer, needs_redis, ports};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use support::process::{Process, orders, say};
use support::within_a_minute;

const MINUTE: Duration = Duration::from_secs(60);

/// Two authorities, and the certificate for `localhost` that the first of them has signed.
struct Certificates(PathBuf);

impl Certificates {
    fn make() -> Self {
        let name = format!("millpond-tls-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let authority = |name: &str| {
            format!(
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem \
                 -addext keyUsage=critical,keyCertSign"
            )
        };
        let steps = [
            authority("ours"),
            authority("other"),
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr".to_owned(),
            "x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -extfile names -out server.pem"
                .to_owned(),
        ];
        std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        for step in steps {
            let made = Command::new("openssl")
                .args(step.split_whitespace())
                .current_dir(&folder)
                .output()
                .unwrap();
            assert!(made.status.success(), "{step}: {made:?}");
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server and its port for TLS; `None` where the `redis-server` of this machine is built without it.
fn start(certificates: &Certificates) -> Option<(RedisServer, u16)> {
    let port = Cell::new(0);
    let server = RedisServer::start_with(|| {
        port.set(ports::free()?);
        Ok(vec![
            ("--tls-auth-clients", "no".to_owned()),
            ("--tls-port", port.get().to_string()),
            ("--tls-cert-file", certificates.file("server.pem")),
            ("--tls-key-file", certificates.file("server.key")),
            ("--tls-ca-cert-file", certificates.file("ours.pem")),
        ])
    });
    match server {
        Ok(server) => Some((server, port.get())),
        Err(error) => {
            eprintln!("left out: redis-server has no TLS ({error})");
            None
        }
    }
}

/// Uses the server and says what came of it: authorities are read once a process.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn a_client() {
    let mut orders = orders();
    while let Some(host) = orders.recv().await {
        let redis = Millpond::builder().redis(format!("rediss://{host}"));
        let upstash = Millpond::builder().upstash(format!("https://{host}"), "a token");
        for builder in [redis, upstash] {
            let pond = builder.budget(support::LONG).retries(1).build().unwrap();
            say(&format!("{:?}", use_server(&pond).await));
        }
    }
}

async fn use_server(pond: &Millpond) -> Result<i64, (ErrorKind, String)> {
    let told = |error: millpond::Error| {
        let first: &dyn std::error::Error = &error;
        let chain = std::iter::successors(Some(first), |error| error.source());
        let texts: Vec<String> = chain.map(ToString::to_string).collect();
        (error.kind(), texts.join(": "))
    };
    pond.set("k", &"v".repeat(200_000), MINUTE)
        .await
        .map_err(told)?;
    let read: Option<String> = pond.get("k").await.map_err(told)?;
    assert_eq!(read.unwrap().len(), 200_000);
    let pipeline = (0..100).fold(pond.pipeline(), |all, _| all.command(["INCR", "n"]));
    assert!(pipeline.send().await.iter().all(Result::is_ok));
    pond.increment("n", 1, MINUTE).await.map_err(told)
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_accepted_and_no_other() {
    let _ = needs_redis!();
    if !present_or_required("openssl") {
        return;
    }
    let certificates = Certificates::make();
    let Some((_server, port)) = start(&certificates) else {
        return;
    };
    let client = |trusted: &Path| {
        let trusted = trusted.display().to_string();
        Process::start(
            "a_client",
            &[("SSL_CERT_FILE", &trusted), ("SSL_CERT_DIR", "")],
        )
    };
    within_a_minute(async {
        let mut trusting = client(&certificates.0.join("ours.pem"));
        trusting.tell(&format!("localhost:{port}")).await;
        assert_eq!(trusting.says().await, "Ok(101)");
        // REST gets through TLS as well, and finds something else than Upstash behind it.
        let rest = trusting.says().await;
        assert!(
            rest.contains("Err") && !rest.contains("ertificate"),
            "{rest}"
        );
        // The certificate is not for this name.
        trusting.tell(&format!("127.0.0.1:{port}")).await;
        for _ in ["RESP", "REST"] {
            let refused = trusting.says().await;
            assert!(
                refused.contains("(Unavailable") && refused.contains("ertificate"),
                "{refused}"
            );
        }
        trusting.end().await;

        let mut distrusting = client(&certificates.0.join("other.pem"));
        distrusting.tell(&format!("localhost:{port}")).await;
        for _ in ["RESP", "REST"] {
            let refused = distrusting.says().await;
            assert!(
                refused.contains("(Unavailable") && refused.contains("ertificate"),
                "{refused}"
            );
        }
        distrusting.end().await;
    })
    .await;
}
