//! Who is connected. Where there is no place left, whoever has been asking for nothing the longest makes room: silent
//! connections keep each other away, and nobody else.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The places of all connections.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    most_of_one: usize,
    clock: AtomicU64,
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
}

/// One place.
#[derive(Debug)]
struct Seat {
    /// Whom it counts for; `None`: a web server in front of us, which speaks for many.
    origin: Option<IpAddr>,
    /// How many requests are being answered.
    requests: AtomicUsize,
    /// When it began to be asked for nothing, as a number.
    idle_since: AtomicU64,
    end: CancellationToken,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    seats: Arc<Seats>,
    number: u64,
    seat: Arc<Seat>,
}

/// A request that is being answered until this is dropped.
#[derive(Debug)]
pub(super) struct Busy {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
}

impl Seats {
    /// So many places, and so many of them for one address.
    pub(super) fn new(most: usize, most_of_one: usize) -> Arc<Self> {
        Arc::new(Self { most, most_of_one, clock: AtomicU64::new(0), taken: Mutex::default() })
    }

    /// Takes a place; `None` if those who could make room are all being answered.
    pub(super) fn take(self: &Arc<Self>, origin: Option<IpAddr>) -> Option<Ticket> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one =
            |one: &Option<IpAddr>| taken.values().filter(|seat| seat.origin == *one).count();
        if origin.is_some() && of_one(&origin) >= self.most_of_one {
            make_room(&mut taken, |seat| seat.origin == origin)?;
        } else if taken.len() >= self.most {
            let mut counts: HashMap<Option<IpAddr>, usize> = HashMap::new();
            for seat in taken.values() {
                *counts.entry(seat.origin).or_default() += 1;
            }
            let idle = taken.values().filter(|seat| seat.is_idle());
            let largest = idle.map(|seat| seat.origin).max_by_key(|origin| counts[origin])?;
            make_room(&mut taken, |seat| seat.origin == largest)?;
        }
        let number = self.tick();
        let seat = Arc::new(Seat {
            origin,
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(number),
            end: CancellationToken::new(),
        });
        taken.insert(number, seat.clone());
        Some(Ticket { seats: self.clone(), number, seat })
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

/// Ends the connection that has been idle the longest, of those that are meant.
fn make_room(taken: &mut BTreeMap<u64, Arc<Seat>>, is_meant: impl Fn(&Seat) -> bool) -> Option<()> {
    let idle = taken.iter().filter(|(_, seat)| is_meant(seat) && seat.is_idle());
    let longest = idle.min_by_key(|(_, seat)| seat.idle_since.load(Ordering::Relaxed));
    let number = *longest?.0;
    taken.remove(&number)?.end.cancel();
    Some(())
}

impl Seat {
    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }
}

impl Ticket {
    /// Notes a request.
    pub(super) fn begin(&self) -> Busy {
        self.seat.requests.fetch_add(1, Ordering::Relaxed);
        Busy { seats: self.seats.clone(), seat: self.seat.clone() }
    }

    /// Returns when others need the place.
    pub(super) async fn ended(&self) {
        self.seat.end.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.seat.idle_since.store(self.seats.tick(), Ordering::Relaxed);
        self.seat.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Seats, Ticket};

    fn has_ended(ticket: &Ticket) -> bool {
        ticket.seat.end.is_cancelled()
    }

    #[test]
    fn whoever_asked_for_nothing_the_longest_makes_room() {
        let seats = Seats::new(10, 2);
        let origin = Some([10, 0, 0, 1].into());
        let first = seats.take(origin).unwrap();
        let second = seats.take(origin).unwrap();
        // The first one asks for something, and is the last one then.
        drop(first.begin());
        let third = seats.take(origin).unwrap();
        assert_eq!([&first, &second, &third].map(has_ended), [false, true, false]);
        let busy = [first.begin(), third.begin()];
        assert!(seats.take(origin).is_none(), "nobody who is being answered has to go");
        assert!(seats.take(Some([10, 0, 0, 2].into())).is_some());
        drop(busy);
        drop(first);
        assert!(seats.take(origin).is_some());
        assert!(!has_ended(&third), "there was a free place");
    }

    #[test]
    fn whoever_has_most_makes_room_for_others() {
        let seats = Seats::new(3, 2);
        let many: Vec<_> =
            (0..2).map(|_| seats.take(Some([10, 0, 0, 1].into())).unwrap()).collect();
        let other = seats.take(Some([10, 0, 0, 2].into())).unwrap();
        let _web_server = seats.take(None).unwrap();
        assert!(has_ended(&many[0]) && !has_ended(&many[1]) && !has_ended(&other));
    }
}
