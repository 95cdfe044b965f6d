/* SPDX-License-Identifier: Apache-2.0
 *
 * Vulkan as the worker's API: the table, and nothing else.
 */
#include "daemon/gpu/vulkan/buffers.h"
#include "daemon/gpu/vulkan/commands.h"
#include "daemon/gpu/vulkan/pipeline.h"
#include "emit/spirv/spirv.h"

const struct gpu_api gpu_vulkan = {
        .name = "vulkan",
        .none_found = "No Vulkan device was found. Install a driver (Debian: "
                      "mesa-vulkan-drivers).",
        .spirv_environment = "vulkan1.1",
        .emit = emit_spirv,
        .list = vulkan_list,
        .unlist = vulkan_unlist,
        .open = vulkan_open,
        .close = vulkan_close,
        .buffer_create = vulkan_buffer_create,
        .buffer_destroy = vulkan_buffer_destroy,
        .buffer_write = vulkan_buffer_write,
        .buffer_fill = vulkan_buffer_fill,
        .bindings_create = vulkan_bindings_create,
        .bindings_destroy = vulkan_bindings_destroy,
        .pipeline_create = vulkan_pipeline_create,
        .pipeline_destroy = vulkan_pipeline_destroy,
        .pipeline_warm = vulkan_pipeline_warm,
        .record_dispatch = vulkan_record_dispatch,
        .record_copies = vulkan_record_copies,
        .commands_destroy = vulkan_commands_destroy,
        .submit = vulkan_submit,
};
