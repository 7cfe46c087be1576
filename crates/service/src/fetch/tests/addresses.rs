//! No URL whatsoever reaches an address that is not public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::{
    super::{Reach, Rules, classify, content},
    rules,
};

/// The ways to write an IPv4 address that URLs know.
fn spellings_v4(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let bits = address.to_bits();
    let rest = bits & 0xff_ffff;
    let mapped = address.to_ipv6_mapped();
    let (high, low) = (bits >> 16, bits & 0xffff);
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{bits}"),
        format!("0x{bits:x}"),
        format!("0X{bits:08X}"),
        format!("0{bits:o}"),
        format!("{a}.{rest}"),
        format!("{a}.{b}.{}", bits & 0xffff),
        format!("0{a:o}.0x{b:x}.{c}.0{d:o}"),
        format!("{a}。{b}．{c}.{d}"),
        format!("{a}.{b}.{c}.{d}")
            .replace('1', "１")
            .replace('2', "②"),
        format!("{a}%2E{b}.{c}.{d}"),
        format!("[{mapped}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[64:ff9b::{high:x}:{low:x}]"),
        format!("[2002:{high:x}:{low:x}::1]"),
    ]
}

fn spellings_v6(address: Ipv6Addr) -> Vec<String> {
    let full: Vec<String> = address
        .segments()
        .iter()
        .map(|segment| format!("{segment:04X}"))
        .collect();
    vec![format!("[{address}]"), format!("[{}]", full.join(":"))]
}

fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    // The first octet decides nearly everything, so half of the cases begin as internal ones do.
    let internal =
        prop::sample::select(vec![0_u8, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255]);
    prop_oneof![
        any::<u32>().prop_map(Ipv4Addr::from),
        (internal, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
    ]
}

/// Whether the rules let a URL through to its own literal address.
fn is_reachable(rules: &Rules, url: &str) -> Option<IpAddr> {
    let url = rules.read(url).ok()?;
    let target = rules.target(&url).unwrap();
    target
        .literal()
        .filter(|&address| rules.permit(&target, address))
}

proptest! {
    #[test]
    fn an_ipv4_address_is_reached_only_if_public(address in ipv4()) {
        let rules = rules(&[]);
        let is_public = classify(address.into()) == Reach::Public;
        for host in spellings_v4(address) {
            let reached = is_reachable(&rules, &format!("http://{host}/"));
            prop_assert_eq!(reached.is_some(), is_public, "{}", host);
        }
    }

    #[test]
    fn an_ipv6_address_is_reached_only_if_public(bits: u128) {
        let rules = rules(&[]);
        // Shifted right, the front is zero, as in mapped and compatible addresses.
        for bits in [bits, bits >> 80, bits >> 96, bits | 0x2000 << 112] {
            let address = Ipv6Addr::from(bits);
            let is_public = classify(address.into()) == Reach::Public;
            for host in spellings_v6(address) {
                let reached = is_reachable(&rules, &format!("http://{host}/"));
                prop_assert_eq!(reached.is_some(), is_public, "{}", host);
            }
        }
    }

    #[test]
    fn whatever_passes_is_a_public_web_address(url in "(https?|ftp|file|HTTP):/{0,3}[a-z0-9.:@%/\\\\\\[\\]①。\t -]{0,30}") {
        let rules = rules(&[]);
        if let Some(address) = is_reachable(&rules, &url) {
            prop_assert_eq!(classify(address), Reach::Public);
        }
        if let Ok(read) = rules.read(&url) {
            prop_assert!(matches!(read.scheme(), "http" | "https"));
            prop_assert!(matches!(read.port_or_known_default(), Some(80 | 443)));
            prop_assert!(read.username().is_empty() && read.password().is_none());
        }
    }

    #[test]
    fn no_bytes_upset_the_look_at_content(bytes: Vec<u8>) {
        content::foreign(&bytes);
    }
}
