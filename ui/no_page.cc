// The list of files of a program that is built without the page.
#include "ui/embedded_files.h"

namespace chartly::ui {

const std::vector<EmbeddedFile>& EmbeddedFiles() {
  static const std::vector<EmbeddedFile> kFiles;
  return kFiles;
}

}  // namespace chartly::ui
