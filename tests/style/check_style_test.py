#!/usr/bin/env python3
"""Proves that check_style.py finds each kind of violation, and nothing in a file that has none."""

import pathlib
import tempfile
import unittest

from check_style import Checker

HEAD = """// base/x.h: an example.
//
// Model    none.
// Threads  safe.
// Blocks   never.
// Source   open(2)
#pragma once
"""


class CheckStyle(unittest.TestCase):
    def errors(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            self.checker = Checker(root)
            self.checker.run()
            return self.checker.errors

    def one_error(self, files, text):
        errors = self.errors(files)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn(text, errors[0])

    def test_a_clean_pair_of_files_has_no_errors(self):
        self.assertEqual(self.errors({
            "core/base/include/krg/base/x.h": HEAD,
            "core/base/x.cpp": '#include "krg/base/x.h"\n// getenv, throw "TODO(#2)"\n'
                               'int f() { return 1\'000; }\nconst char* s = "getenv(throw";\n',
        }), [])

    def test_the_root_holds_what_tools_insist_on_and_nothing_left_behind(self):
        self.assertEqual(self.errors({"README.md": "", "dev": "", "compile_commands.json": ""}), [])
        self.one_error({"x.24142,vm.btr": ""}, "x.24142,vm.btr: the root holds no such file")

    def test_two_services_of_one_id_are_refused(self):
        service = "struct Call {\n  static constexpr ServiceId kId{0x60};\n};\n"
        other = service.replace("0x60", "0x61")
        self.assertEqual(self.errors({"core/x.cpp": service, "core/y.cpp": other}), [])
        self.one_error({"core/x.cpp": service, "runtime/y.cpp": service},
                       "runtime/y.cpp:2: service 0x60 is that of core/x.cpp:2")

    def test_a_file_of_801_lines_is_refused(self):
        self.one_error({"core/base/x.cpp": "\n" * 801}, "801 lines")

    def test_a_long_header_is_a_warning(self):
        self.assertEqual(self.errors({"core/base/x.h": "\n" * 201}), [])
        self.assertEqual(len(self.checker.warnings), 1)

    def test_a_line_of_101_columns_is_refused(self):
        self.one_error({"tests/x.c": "/" * 101 + "\n"}, "101 columns")

    def test_columns_are_counted_in_characters(self):
        self.assertEqual(self.errors({"tests/x.c": "//" + "\u00e9" * 98 + "\n"}), [])

    def function(self, lines, signature="int f(int a,\n      int b)"):
        head = signature.count("\n") + 1
        return f"namespace a {{\n{signature} {{\n" + "  { g(); }\n" * (lines - head - 1) + "}\n}\n"

    def test_a_function_of_70_lines_is_allowed_and_one_of_71_is_not(self):
        self.assertEqual(self.errors({"core/base/x.cpp": self.function(70)}), [])
        self.one_error({"core/base/x.cpp": self.function(71)}, "71 lines")

    def test_members_templates_and_tests_are_functions(self):
        for signature in ("template <class T = int>\nvoid f(T t = T{})", "TEST(A, B)",
                          "A::A(int a) : a_(a), b_(0)", "A::A(int a) : a_{a}, b_{0}", "bool operator==(A a, A b)",
                          "auto f() noexcept -> int", "bool A::operator()(int a = 1) const",
                          "std::vector<A> f(B b = {.c = 1})"):
            self.one_error({"core/base/x.cpp": self.function(71, signature)}, "71 lines")

    def test_a_class_or_a_table_may_be_long(self):
        for begin in ("class A : B<void()>", "constexpr int a[f()] =", "enum class A", "struct A"):
            self.assertEqual(self.errors({"core/base/x.cpp": begin + " {\n" + "  1,\n" * 90 + "};\n"}),
                             [])

    def test_a_class_after_a_function_may_be_long(self):
        text = "int f() {\n  return g();\n}\nclass A final : public B {\n" + "  int a;\n" * 90 + "};\n"
        self.assertEqual(self.errors({"core/base/x.cpp": text}), [])

    def test_a_member_function_inside_a_class_is_measured(self):
        text = "class A {\n  int f() const {\n" + "    g();\n" * 70 + "  }\n};\n"
        self.one_error({"core/base/x.h": text}, "72 lines")

    def test_getenv_lives_in_core_config_alone(self):
        text = "const char* p = std::getenv(name);\n"
        self.assertEqual(self.errors({"core/config/x.cpp": text}), [])
        self.one_error({"core/base/x.cpp": text}, "environment")

    def test_product_code_never_throws(self):
        self.one_error({"core/base/x.cpp": "void f() { throw 1; }\n"}, "never throws")

    def test_tests_can_not_be_disabled_or_skipped(self):
        self.one_error({"tests/x.cpp": "TEST(A, " + "DISABLED" + "_B) {}\n"}, "disabled")
        self.one_error({"tests/x.cpp": "GTEST" + "_SKIP();\n"}, "disabled")

    def test_a_mark_of_work_to_do_names_its_issue(self):
        self.one_error({"core/base/x.cpp": "// TO" + "DO: later\n"}, "issue")
        self.assertEqual(self.errors({"core/base/x.cpp": "// TO" + "DO(#12): later\n"}), [])

    def test_a_public_header_begins_with_its_contract(self):
        name = "core/base/include/krg/base/x.h"
        self.one_error({name: HEAD.replace("// Blocks   never.\n", "")}, "Blocks")
        self.one_error({name: HEAD.replace("base/x.h", "base/y.h")}, "first line")

    PAGE = {"docs/design/x.md": "# The x\n\nText.\n\n## Its rules\n"}

    def test_a_page_that_is_cited_exists(self):
        self.assertEqual(self.errors({**self.PAGE, "core/base/x.cpp": "// See docs/design/x.md.\n"}), [])
        self.one_error({**self.PAGE, "core/base/x.cpp": "\n// See docs/design/y.md.\n"},
                       "x.cpp:2: there is no page docs/design/y.md")

    def test_a_section_that_is_cited_exists(self):
        for section in ("Its rules", "The x"):
            self.assertEqual(self.errors({
                **self.PAGE, "core/base/x.cpp": f'// Source   docs/design/x.md, "{section}"; open(2)\n'}), [])
        self.one_error({**self.PAGE, "core/base/x.cpp": '// Source   docs/design/x.md, "Rules"\n'},
                       'docs/design/x.md has no section "Rules"')

    def test_a_section_may_stand_on_the_next_line(self):
        for between in ("\n//          ", "\n    // "):
            text = f'// Source   open(2); docs/design/x.md,{between}"%s"\n'
            self.assertEqual(self.errors({**self.PAGE, "core/base/x.cpp": text % "Its rules"}), [])
            self.one_error({**self.PAGE, "core/base/x.cpp": text % "Rules"}, "no section")

    def test_a_public_header_names_no_outside_type(self):
        name = "transport/fabric/include/krg/base/x.h"
        self.one_error({name: HEAD + "void f(ucp_worker_h worker);\n"}, "outside library")
        self.assertEqual(self.errors({name: HEAD + "// ucp_mem_map(3)\n"}), [])

    def test_a_source_includes_its_own_header_first(self):
        header = {"core/base/include/krg/base/x.h": HEAD}
        self.one_error({**header, "core/base/x.cpp": '#include <vector>\n#include "krg/base/x.h"\n'},
                       "own header")
        self.one_error({"core/base/x.h": "", "core/base/x.cpp": '#include <vector>\n#include "x.h"\n'},
                       "own header")


if __name__ == "__main__":
    unittest.main()
