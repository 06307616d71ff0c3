//! What wit-bindgen makes of `wit/`. One module for each world that a component may add to: an export that an
//! app does not have must not be promised, so the optional handlers are worlds of their own.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]

pub mod app {
    wit_bindgen::generate!({
        world: "wakeline:app/app",
        path: "wit",
        generate_all,
        runtime_path: "wakeline_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export_handler",
        default_bindings_module: "wakeline_sdk::bindings::app",
    });
}

pub mod acks {
    wit_bindgen::generate!({
        inline: "package wakeline:sdk-acks; world acks { export wakeline:app/acks-handler@0.1.0; }",
        path: "wit",
        with: { "wakeline:app/types@0.1.0": crate::bindings::app::wakeline::app::types, "wakeline:app/acks-handler@0.1.0": generate },
        runtime_path: "wakeline_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export_acks_handler",
        default_bindings_module: "wakeline_sdk::bindings::acks",
        type_section_suffix: "acks",
    });
}

pub mod timers {
    wit_bindgen::generate!({
        inline: "package wakeline:sdk-timers; world timers { export wakeline:app/timers-handler@0.1.0; }",
        path: "wit",
        with: { "wakeline:app/types@0.1.0": crate::bindings::app::wakeline::app::types, "wakeline:app/timers-handler@0.1.0": generate },
        runtime_path: "wakeline_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export_timers_handler",
        default_bindings_module: "wakeline_sdk::bindings::timers",
        type_section_suffix: "timers",
    });
}

pub mod push {
    wit_bindgen::generate!({
        inline: "package wakeline:sdk-push; world push { export wakeline:app/push-handler@0.1.0; }",
        path: "wit",
        with: { "wakeline:app/types@0.1.0": crate::bindings::app::wakeline::app::types, "wakeline:app/push-handler@0.1.0": generate },
        runtime_path: "wakeline_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export_push_handler",
        default_bindings_module: "wakeline_sdk::bindings::push",
        type_section_suffix: "push",
    });
}

pub mod migration {
    wit_bindgen::generate!({
        inline: "package wakeline:sdk-migration; world migration { export wakeline:app/migration-handler@0.1.0; }",
        path: "wit",
        with: { "wakeline:app/types@0.1.0": crate::bindings::app::wakeline::app::types, "wakeline:app/migration-handler@0.1.0": generate },
        runtime_path: "wakeline_sdk::wit_bindgen::rt",
        pub_export_macro: true,
        export_macro_name: "export_migration_handler",
        default_bindings_module: "wakeline_sdk::bindings::migration",
        type_section_suffix: "migration",
    });
}
