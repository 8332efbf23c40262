use super::{PIXELS, svg};

/// An address as apps read it, with an issuer and an account as long as they get.
fn address(issuer: usize, account: usize) -> String {
    let (issuer, account) = ("i".repeat(issuer), "a".repeat(account));
    format!("otpauth://totp/{issuer}:{account}?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer={issuer}")
}

/// The margin and the side of a module, as they are written.
fn geometry(svg: &str) -> (i32, i32) {
    let transform = svg.split("transform=\"translate(").nth(1).unwrap();
    let margin = transform.split(' ').next().unwrap().parse().unwrap();
    let module = transform.split("scale(").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    (margin, module)
}

#[test]
fn it_is_256_pixels_on_white_with_whole_modules_and_a_quiet_zone_of_four() {
    for (issuer, account) in [(1, 1), (5, 5), (20, 30), (64, 64)] {
        let svg = svg(&address(issuer, account), "code").unwrap();
        assert!(svg.contains("width=\"256\" height=\"256\" viewBox=\"0 0 256 256\""));
        assert!(svg.contains("<rect width=\"256\" height=\"256\" fill=\"#fff\"/>"));
        assert!(svg.contains("stroke=\"#000\" d=\"M0 0.5h7m"), "a finder pattern in the corner: {svg}");
        let (margin, module) = geometry(&svg);
        assert!(margin >= 4 * module && module >= 3, "{issuer} {account}: {margin} {module}");
        assert!(margin * 2 + module * 21 <= PIXELS);
        assert!(svg.len() < 12 * 1024, "{}", svg.len());
    }
}

/// R21: no inline style, and nothing of the label is markup.
#[test]
fn it_needs_no_style_and_escapes_its_label() {
    let svg = svg("x", "<b>\"&").unwrap();
    assert!(svg.contains("aria-label=\"&lt;b>&quot;&amp;\"") && !svg.contains("style="), "{svg}");
}

#[test]
fn what_would_be_too_fine_to_scan_is_not_drawn() {
    assert!(svg(&"x".repeat(1500), "code").is_none());
    assert!(svg(&"x".repeat(5000), "code").is_none());
}
