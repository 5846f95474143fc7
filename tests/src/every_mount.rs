//! Tests that run on every mount, each in a `#[test]` of its own, so that one failure hides no other.

/// Makes tests of functions: `every_mount!(run: function, ..)` makes a module of each function's name with
/// a test for every mount, which calls `run(mount, function)`.
#[macro_export]
macro_rules! every_mount {
    ($($input:tt)*) => {
        $crate::on_mounts! { [
            tower_layer, tower_service, axum_route, axum_layer, axum_extractor, actix_route,
            actix_middleware, actix_extractor, warp_filter, warp_verified,
        ] $($input)* }
    };
}

/// As [`every_mount!`], for what an extractor alone does not promise.
#[macro_export]
macro_rules! every_receiver {
    ($($input:tt)*) => {
        $crate::on_mounts! { [
            tower_layer, tower_service, axum_route, axum_layer, actix_route, actix_middleware,
            warp_filter,
        ] $($input)* }
    };
}

/// Makes tests of functions for every durable store, in a module `stores`: each calls
/// `run(kind, function)`.
#[macro_export]
macro_rules! every_store {
    ($run:ident: $($test:ident),* $(,)?) => {
        mod stores { $(
            mod $test {
                #[test]
                fn sqlite() {
                    super::super::$run($crate::Kind::Sqlite, super::super::$test);
                }

                #[test]
                fn postgres() {
                    super::super::$run($crate::Kind::Postgres, super::super::$test);
                }

                #[test]
                fn redis() {
                    super::super::$run($crate::Kind::Redis, super::super::$test);
                }
            }
        )* }
    };
}

/// The common part of both.
#[doc(hidden)]
#[macro_export]
macro_rules! on_mounts {
    ([$($mount:ident,)*] names) => { [$(stringify!($mount)),*] };
    ($mounts:tt $run:ident: $($test:ident),* $(,)?) => {
        $(mod $test { $crate::tests_on! { $mounts $run $test } })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests_on {
    ([$($mount:ident,)*] $run:ident $test:ident) => { $(
        #[test]
        fn $mount() {
            super::$run($crate::mount(stringify!($mount)), super::$test);
        }
    )* };
}

#[cfg(test)]
mod tests {
    use crate::{Extent, MOUNTS};

    #[test]
    fn both_macros_name_all_mounts() {
        let all: Vec<_> = MOUNTS.iter().map(|mount| mount.name).collect();
        assert_eq!(every_mount!(names)[..], all);
        let with_receiver = MOUNTS
            .iter()
            .filter(|mount| mount.extent == Extent::Receiver);
        let receivers: Vec<_> = with_receiver.map(|mount| mount.name).collect();
        assert_eq!(every_receiver!(names)[..], receivers);
    }
}
