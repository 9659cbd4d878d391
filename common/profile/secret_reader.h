// Reads references to secrets and refuses secrets themselves: a profile is read by everybody. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_SECRET_READER_H_
#define CHARTLY_COMMON_PROFILE_SECRET_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

// {name: bls, key: token}.
void ReadSecretRef(const NodeAt& at, NodeReader& reader, SecretRef& out);

// Keys that people give to secrets in place of a reference; for NodeReader::Map.
std::vector<NodeReader::Key> InlineSecretKeys(NodeReader& reader);

// PROFILE_SECRET_REFUSED. `instead` says how it is written: "source.auth: {type: bearer, ...}".
void RefuseSecret(const NodeAt& at, NodeReader& reader, absl::string_view instead);

// Names of headers and of query parameters that carry secrets, in any case.
bool IsSecretHeader(absl::string_view name);
bool IsSecretParameter(absl::string_view name);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_SECRET_READER_H_
