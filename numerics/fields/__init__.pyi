from .method import attention_field as attention_field
