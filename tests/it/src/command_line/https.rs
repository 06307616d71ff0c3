//! A host behind a proxy with TLS, whose certificate is of an authority of the house.
use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cluster::{free_port, until};

use super::person::Person;
use crate::harness::{Host, report};

/// nginx in front of a host's admin listener; ends when dropped.
struct Front {
    process: Child,
    port: u16,
}

impl Front {
    fn start(directory: &Path, admin: &str) -> Option<Self> {
        let nginx = ["nginx", "/usr/sbin/nginx"]
            .into_iter()
            .find(|name| answers(name, "-v"))?;
        let port = free_port().unwrap();
        let here = directory.display();
        let conf = format!(
            "daemon off; pid {here}/nginx.pid; error_log {here}/error.log; events {{ }}\n\
             http {{\n\
               access_log off; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;\n\
               fastcgi_temp_path {here}/fastcgi; uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
               server {{\n\
                 listen 127.0.0.1:{port} ssl; ssl_certificate {here}/host.pem; ssl_certificate_key {here}/host.key;\n\
                 client_max_body_size 70m;\n\
                 location / {{ proxy_pass http://{admin}; proxy_http_version 1.1; proxy_buffering off; }}\n\
               }}\n\
             }}\n"
        );
        fs::write(directory.join("nginx.conf"), conf).unwrap();
        let process = Command::new(nginx)
            .arg("-p")
            .arg(directory)
            .arg("-c")
            .arg(directory.join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let front = Self { process, port };
        let listens = || Ok(TcpStream::connect(("127.0.0.1", port)).ok());
        until(Duration::from_mins(1), "nginx ready", listens).unwrap_or_else(|error| {
            let said = fs::read_to_string(directory.join("error.log"));
            panic!("{error}\n{}", said.unwrap_or_default())
        });
        Some(front)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // SIGTERM: its worker ends with it.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn answers(program: &str, word: &str) -> bool {
    let mut command = Command::new(program);
    let command = command.arg(word).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn openssl(directory: &Path, words: &str) {
    let output = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An authority, and a certificate of it for `localhost`. Answers where the authority's own is.
fn certify(directory: &Path) -> PathBuf {
    const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        directory,
        &format!("req -x509 {KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=House"),
    );
    openssl(
        directory,
        &format!("req {KEY} -keyout host.key -out host.csr -subj /CN=localhost"),
    );
    fs::write(
        directory.join("names"),
        "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    openssl(
        directory,
        "x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out host.pem",
    );
    directory.join("ca.pem")
}

#[test]
fn a_host_with_a_certificate_of_the_house_is_trusted_if_told_so_and_only_by_its_name() {
    if !answers("openssl", "version") {
        return report::skip("openssl is not on PATH");
    }
    let (person, host) = (Person::with_greeter(), Host::start());
    let directory = tempfile::tempdir().unwrap();
    let authority = certify(directory.path());
    let Some(front) = Front::start(directory.path(), &host.admin) else {
        return report::skip("nginx is not on PATH");
    };
    let token = fs::read_to_string(host.token_file()).unwrap();
    let url = format!("https://localhost:{}", front.port);
    let stranger = person.at(&url, token.trim(), &["whoami"]);
    stranger.check(69, &["cannot be trusted", "SSL_CERT_FILE"]);
    let person = person.set("SSL_CERT_FILE", authority.to_str().unwrap());
    person.at(&url, token.trim(), &["whoami"]).check(0, &[]);
    person
        .at(&url, token.trim(), &["deploy"])
        .check(0, &["Live on the host"]);
    let other = format!("https://127.0.0.1:{}", front.port);
    person
        .at(&other, token.trim(), &["whoami"])
        .check(69, &["cannot be trusted"]);
}
