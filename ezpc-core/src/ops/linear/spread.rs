//! Work over several threads.

/// Calls `work` on every item, with what `start` gives each thread; the results are in the order of the items.
pub(super) fn spread_with<T: Send, S: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    start: impl Fn() -> S,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len()).max(1);
    let mut states: Vec<S> = (0..threads).map(|_| start()).collect();
    spread_over(&mut states, items, work)
}

/// Calls `work` on every item, a thread for each of `states`; the results are in the order of the items.
pub(super) fn spread_over<T: Send, S: Send, R: Send>(
    states: &mut [S],
    items: Vec<T>,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let run =
        |state: &mut S, items: Vec<T>| items.into_iter().map(|item| work(state, item)).collect::<Vec<R>>();
    let threads = states.len().min(items.len()).max(1);
    let states = &mut states[..threads];
    if let [state] = states {
        return run(state, items);
    }
    let each = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    let run = &run;
    std::thread::scope(|scope| {
        let handles: Vec<_> = states
            .iter_mut()
            .map(|state| {
                let part: Vec<T> = items.by_ref().take(each).collect();
                scope.spawn(move || run(state, part))
            })
            .collect();
        handles.into_iter().flat_map(|h| h.join().expect("a worker does not panic")).collect()
    })
}

/// Calls `work` on every item; the results are in the order of the items.
pub(super) fn spread<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    spread_with(threads, items, || (), |(), item| work(item))
}
