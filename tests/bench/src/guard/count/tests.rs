use super::{Counts, counts};

#[test]
fn callgrinds_files_are_read() {
    let dump = "\
# callgrind format
events: Ir
fl=(1) alloc.rs
fn=(1) rdl_alloc
12 40
cob=(2) libc.so.6
cfn=(2) malloc
calls=7 0
12 700
cfn=(3) free
calls=5 0
12 100
fn=(4) elsewhere
cfn=(2)
calls=3 0
1 30
cfn=(5) realloc'2
calls=2 0
1 30
cfn=(6) malloc_consolidate
calls=90 0
1 30
totals: 1234
";
    let read = counts(dump).unwrap();
    let told = Counts {
        instructions: 1234.0,
        allocations: 12.0,
    };
    assert_eq!(read, told);
    assert_eq!(counts("events: Ir\n"), None);
}
