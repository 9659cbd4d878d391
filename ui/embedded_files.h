// The files of the web page, built into the program.
#ifndef CHARTLY_UI_EMBEDDED_FILES_H_
#define CHARTLY_UI_EMBEDDED_FILES_H_

#include <string_view>
#include <vector>

namespace chartly::ui {

// Plain data with static lifetime.
struct EmbeddedFile {
  std::string_view path;          // "/index.html"
  std::string_view content_type;  // "text/html; charset=utf-8"
  std::string_view etag;          // with its quotes
  std::string_view content;
};

// Empty if the program was built without the page. Thread-safe.
const std::vector<EmbeddedFile>& EmbeddedFiles();

}  // namespace chartly::ui

#endif  // CHARTLY_UI_EMBEDDED_FILES_H_
