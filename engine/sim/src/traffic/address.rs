//! The address plan of the synthetic world.

/// Hosts that the world has room for: the addresses of 10/8.
pub(crate) const HOSTS_MAX: u32 = 1 << 24;

/// Campaigns, and addresses of one campaign, that 198.18/15 has room for.
pub(crate) const CAMPAIGNS_MAX: usize = 32;
pub(crate) const SOURCES_MAX: u32 = 4096;

/// Addresses of the world: agents in 10/8 by region, their resolver at 9.9.9.9, outside clients and servers in 64/6, attackers in 198.18/15.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address;

impl Address {
    /// The address of the `index`-th host of one of `regions` regions, which share 10/8 equally.
    pub(crate) fn host(region: u16, regions: u32, index: u32) -> u32 {
        let size = HOSTS_MAX / regions;
        assert!(index < size, "the scenario was checked to fit its address plan");
        (10 << 24) + u32::from(region) * size + index
    }

    /// The outside client or server of that popularity rank. The multiplication scatters ranks over the space, so
    /// that popular addresses are not neighbours.
    pub(super) fn outside(rank: u32) -> u32 {
        64 << 24 | rank.wrapping_mul(2_654_435_761) >> 6
    }

    /// The `index`-th address of an attacking campaign.
    pub(crate) fn attacker(campaign: usize, index: u32) -> u32 {
        (198 << 24 | 18 << 16) + campaign as u32 * SOURCES_MAX + index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_do_not_overlap() {
        for (regions, per_region) in [(1, HOSTS_MAX), (3, HOSTS_MAX / 3), (255, HOSTS_MAX / 255)] {
            let last = Address::host((regions - 1) as u16, regions, per_region - 1);
            assert!(last >> 24 == 10 && Address::host(0, regions, 0) >> 24 == 10);
        }
        assert!(Address::host(0, 3, HOSTS_MAX / 3 - 1) < Address::host(1, 3, 0));
        assert!((0..1000).all(|rank| (64..128).contains(&(Address::outside(rank) >> 24))));
        assert_eq!(Address::attacker(0, 0) >> 16, 198 << 8 | 18);
    }
}
