//! Which addresses lie where the public can see them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody: a server of the internet.
    Public,
    /// Only this machine or its neighbours; an operator may open it.
    Internal,
    /// Nobody should: metadata services, link-local, multicast, reserved and tunnelled addresses.
    Never,
}

/// Metadata services of clouds outside the link-local ranges: they hand credentials to whoever asks.
const METADATA: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba Cloud
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google Cloud
];

/// Classifies an address by IANA's special-purpose registries; what they do not list as global is not public.
///
/// <https://www.iana.org/assignments/iana-ipv4-special-registry>,
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
pub fn classify(address: IpAddr) -> Reach {
    // `::ffff:a.b.c.d` is just another spelling: the connection goes to the IPv4 address.
    let address = address.to_canonical();
    if METADATA.contains(&address) {
        return Reach::Never;
    }
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [10 | 127, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => {
            Reach::Internal
        }
        // This network, link-local, protocol assignments, documentation, 6to4 relays, benchmarks,
        // multicast and reserved.
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Reach::Never,
        _ => Reach::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() || address.is_unique_local() {
        return Reach::Internal;
    }
    if let Some(translated) = translated(address) {
        // Nobody writes an internal address this way but to get around a check.
        return match classify(IpAddr::V4(translated)) {
            Reach::Public => Reach::Public,
            Reach::Internal | Reach::Never => Reach::Never,
        };
    }
    match address.segments() {
        // Protocol assignments (with Teredo) and documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

/// The IPv4 address to which NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`) would lead.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;

    /// The registries again, in another form: (network, its reach); the longest prefix counts.
    const TABLE: &[(&str, Reach)] = &[
        ("0.0.0.0/0", Reach::Public),
        ("0.0.0.0/8", Reach::Never),
        ("10.0.0.0/8", Reach::Internal),
        ("100.64.0.0/10", Reach::Internal),
        ("100.100.100.200/32", Reach::Never),
        ("127.0.0.0/8", Reach::Internal),
        ("168.63.129.16/32", Reach::Never),
        ("169.254.0.0/16", Reach::Never),
        ("172.16.0.0/12", Reach::Internal),
        ("192.0.0.0/24", Reach::Never),
        ("192.0.2.0/24", Reach::Never),
        ("192.88.99.0/24", Reach::Never),
        ("192.168.0.0/16", Reach::Internal),
        ("198.18.0.0/15", Reach::Never),
        ("198.51.100.0/24", Reach::Never),
        ("203.0.113.0/24", Reach::Never),
        ("224.0.0.0/3", Reach::Never),
        ("::/0", Reach::Never),
        ("::1/128", Reach::Internal),
        ("2000::/3", Reach::Public),
        ("2001::/23", Reach::Never),
        ("2001:db8::/32", Reach::Never),
        ("3fff::/20", Reach::Never),
        ("fc00::/7", Reach::Internal),
        ("fd00:ec2::254/128", Reach::Never),
        ("fd20:ce::254/128", Reach::Never),
    ];

    fn by_table(address: IpAddr) -> Reach {
        let networks = TABLE
            .iter()
            .map(|(network, reach)| (network.parse::<IpNet>().unwrap(), *reach));
        let containing = networks.filter(|(network, _)| network.contains(&address));
        let (_, reach) = containing
            .max_by_key(|(network, _)| network.prefix_len())
            .unwrap();
        reach
    }

    #[test]
    fn networks_begin_and_end_where_the_registries_say() {
        for (network, _) in TABLE {
            let network: IpNet = network.parse().unwrap();
            for edge in [network.network(), network.broadcast()] {
                for address in [Some(edge), neighbour(edge, true), neighbour(edge, false)] {
                    let Some(address) = address.filter(|&address| !is_wrapped(address)) else {
                        continue;
                    };
                    assert_eq!(classify(address), by_table(address), "{address}");
                }
            }
        }
    }

    fn neighbour(address: IpAddr, next: bool) -> Option<IpAddr> {
        match address {
            IpAddr::V4(address) => {
                let bits = address.to_bits();
                let bits = if next {
                    bits.checked_add(1)
                } else {
                    bits.checked_sub(1)
                };
                bits.map(|bits| IpAddr::V4(bits.into()))
            }
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                let bits = if next {
                    bits.checked_add(1)
                } else {
                    bits.checked_sub(1)
                };
                bits.map(|bits| IpAddr::V6(bits.into()))
            }
        }
    }

    /// Whether an IPv4 address is inside, which the table does not know.
    fn is_wrapped(address: IpAddr) -> bool {
        let wrappers = ["::ffff:0:0/96", "64:ff9b::/96", "2002::/16"];
        let mut networks = wrappers
            .iter()
            .map(|network| network.parse::<IpNet>().unwrap());
        networks.any(|network| network.contains(&address))
    }

    fn wrapped(address: Ipv4Addr) -> [Ipv6Addr; 3] {
        let [a, b, c, d] = address.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ]
    }

    proptest! {
        #[test]
        fn every_ipv4_address_is_what_the_table_says(bits: u32) {
            let address = IpAddr::V4(bits.into());
            prop_assert_eq!(classify(address), by_table(address));
        }

        #[test]
        fn every_ipv6_address_is_what_the_table_says(bits: u128, first in 0_u16..0x4000) {
            // Half of them in the small part of the space that is in use.
            let used = (bits >> 16) | u128::from(first) << 112;
            for address in [bits, used].map(|bits| IpAddr::V6(bits.into())) {
                if !is_wrapped(address) {
                    prop_assert_eq!(classify(address), by_table(address), "{}", address);
                }
            }
        }

        #[test]
        fn an_ipv4_address_in_an_ipv6_one_is_public_only_if_it_is(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let expected = classify(IpAddr::V4(address)) == Reach::Public;
            for wrapped in wrapped(address) {
                let found = classify(IpAddr::V6(wrapped)) == Reach::Public;
                prop_assert_eq!(found, expected, "{}", wrapped);
            }
        }
    }
}
