// Documents that are made from tables in the code. The test that owns a document compares it with what the code gives;
// with CHARTLY_WRITE_DOCS=1 in the environment it writes it instead.
#ifndef CHARTLY_TEST_SUPPORT_GENERATED_DOC_H_
#define CHARTLY_TEST_SUPPORT_GENERATED_DOC_H_

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "test/support/test.h"

namespace chartly::testing {

// `path` is relative to the source tree.
inline void CheckGeneratedDoc(const std::string& path, const std::string& expected) {
  std::string file = std::string(CHARTLY_SOURCE_DIR) + "/" + path;
  if (std::getenv("CHARTLY_WRITE_DOCS") != nullptr) std::ofstream(file) << expected;
  std::stringstream content;
  content << std::ifstream(file).rdbuf();
  INFO(path << " differs from the table in the code; run this test with CHARTLY_WRITE_DOCS=1");
  CHECK(content.str() == expected);
}

}  // namespace chartly::testing

#endif  // CHARTLY_TEST_SUPPORT_GENERATED_DOC_H_
