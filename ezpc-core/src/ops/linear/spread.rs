//! Work over several threads.

/// Calls `work` on every item, with what `start` gives each thread; the results are in the order of the items.
pub(super) fn spread_with<T: Send, S, R: Send>(
    threads: usize,
    items: Vec<T>,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len()).max(1);
    let run = |items: Vec<T>| {
        let mut state = start();
        items.into_iter().map(|item| work(&mut state, item)).collect::<Vec<R>>()
    };
    if threads == 1 {
        return run(items);
    }
    let each = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    let run = &run;
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| {
                let part: Vec<T> = items.by_ref().take(each).collect();
                scope.spawn(move || run(part))
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
