// Profiles and their signatures as files: people.yaml, people.yaml.sig.
#ifndef CHARTLY_CLI_PROFILE_FOLDER_H_
#define CHARTLY_CLI_PROFILE_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/profile_files.h"
#include "cli/session.h"
#include "common/signing/profile_signature.h"

namespace chartly::cli {

// Files as they are, and of folders every .yaml and .yml in and below them, in order of name; what begins with a dot is
// left out. InvalidArgument (FILE_UNREADABLE) if one is absent, NO_PROFILES if there are none.
absl::StatusOr<std::vector<std::string>> FindProfileFiles(const std::vector<std::string>& paths);

// The signatures beside a file, none if there is no such file. InvalidArgument SIGNATURE_FILE_INVALID, and
// SIGNATURE_OF_ANOTHER if one is of another profile or of another text: then the file must be signed again.
absl::StatusOr<std::vector<SignedStatement>> ReadSignaturesBeside(const ProfileFile& file);

// Writes the file whole or not at all. InvalidArgument (FILE_UNWRITABLE) says why.
absl::Status WriteTextFile(const std::string& path, const std::string& text);

// Where the texts of a folder come from: the commit of its git working copy, and whether something in it differs from
// that. Null if it lies in none, or there is no git.
Json FindOrigin(const std::string& folder);

// A signature as the server takes it and gives it.
Json SignatureJson(const v1::ProfileSignature& signature);
v1::ProfileSignature SignatureOfJson(const Json& json);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_PROFILE_FOLDER_H_
