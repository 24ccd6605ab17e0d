//! TCP ports that are chosen before anything listens on them.

use std::net::TcpListener;
use std::net::UdpSocket;

/// A TCP port of 127.0.0.1 that nothing listens on. No other test on this machine gets it as long as this
/// value lives.
///
/// It is outside the range that the kernel gives to clients, so that it is still free at a restart.
pub struct Port {
    number: u16,
    /// Seconds may pass until a program listens on a chosen port, and between its end and its restart. The
    /// UDP port of the same number, which nothing else uses, shows all processes that it is taken; the
    /// kernel gives it back when this process ends, however that happens.
    _reservation: UdpSocket,
}

impl Port {
    /// Chooses one.
    pub fn reserve() -> Self {
        for _ in 0..1_000 {
            let number = fastrand::u16(20_000..32_000);
            let Ok(reservation) = UdpSocket::bind(("127.0.0.1", number)) else {
                continue;
            };
            if TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self {
                    number,
                    _reservation: reservation,
                };
            }
        }
        panic!("no free port between 20000 and 32000");
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same_before_anything_listens() {
        let mut numbers: Vec<u16> = Vec::new();
        let ports: Vec<Port> = (0..500).map(|_| Port::reserve()).collect();
        numbers.extend(ports.iter().map(Port::number));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }
}
