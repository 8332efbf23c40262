//! The QR code, read by a decoder that is not ours.

use std::{fs, process::Command};

use panelgate::rules::factor::{qr, totp};

/// Draws the picture as a browser would: 256 by 256 grey pixels.
fn draw(svg: &str) -> Vec<u8> {
    let part = |from: &str, to: char| svg.split(from).nth(1).unwrap().split(to).next().unwrap();
    let (margin, module): (usize, usize) =
        (part("translate(", ' ').parse().unwrap(), part("scale(", ')').parse().unwrap());
    let mut pixels = vec![255; 256 * 256];
    for row in part(" d=\"", '"').split("M0 ").skip(1) {
        let (y, runs) = row.split_once(".5").unwrap();
        let y: usize = y.parse().unwrap();
        let mut x = 0;
        for run in runs.replace(" 0", "").replace('h', " h").replace('m', " m").split_whitespace() {
            let (kind, length) = run.split_at(1);
            let length: usize = length.parse().unwrap();
            if kind == "h" {
                for row in margin + y * module..margin + (y + 1) * module {
                    pixels[row * 256 + margin + x * module..][..length * module].fill(0);
                }
            }
            x += length;
        }
    }
    pixels
}

#[test]
fn a_foreign_decoder_reads_the_address_back() {
    let folder = tempfile::tempdir().unwrap();
    for (issuer, account) in [
        ("Panel", "root"),
        ("Example panel", "alexandra.oakwood@customers.example.com"),
        ("Häfen & Märkte: Verwaltung", "o'brien+panel"),
        (&"i".repeat(64), &"a".repeat(64)),
    ] {
        let url = totp::url(b"12345678901234567890", issuer, account);
        let picture = draw(&qr::svg(&url, "code").unwrap());
        let file = folder.path().join("code.pgm");
        fs::write(&file, [b"P5 256 256 255\n".as_slice(), &picture].concat()).unwrap();
        let read = Command::new("zbarimg").args(["--raw", "-q"]).arg(&file).output().unwrap();
        assert_eq!(String::from_utf8(read.stdout).unwrap().trim_end(), url);
    }
}
