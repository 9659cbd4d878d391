// Reads what only one type of source has: `source.postgres` and `source.webhook`. Internal to this folder.
#ifndef CHARTLY_COMMON_PROFILE_ENDPOINT_READER_H_
#define CHARTLY_COMMON_PROFILE_ENDPOINT_READER_H_

#include "common/profile/node_reader.h"
#include "common/profile/profile.h"

namespace chartly {

void ReadPostgres(const NodeAt& at, NodeReader& reader, PostgresConfig& out);
void ReadWebhook(const NodeAt& at, NodeReader& reader, WebhookConfig& out);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_ENDPOINT_READER_H_
