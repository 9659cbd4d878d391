// Files of the folder shared/ beside the repository, which is not everywhere.
#ifndef CHARTLY_DRONE_DECODE_SHARED_FILE_FOR_TEST_H_
#define CHARTLY_DRONE_DECODE_SHARED_FILE_FOR_TEST_H_

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace chartly::drone {

inline std::filesystem::path SharedPath(const std::string& name) {
  return std::filesystem::path(CHARTLY_SOURCE_DIR) / "../shared" / name;
}

// Says so if the file or folder is not here.
inline bool HasShared(const std::string& name) {
  if (std::filesystem::exists(SharedPath(name))) return true;
  std::cout << "shared/" << name << " is not here, nothing compared\n";
  return false;
}

inline std::string ReadFileForTest(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_DECODE_SHARED_FILE_FOR_TEST_H_
