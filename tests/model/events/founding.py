"""The types of the founding page, in its order."""

FOUNDING = """
leg:status:update
audio:dtmf audio:earmuff:off audio:earmuff:on audio:mute:off audio:mute:on audio:play:stop
audio:play:done audio:play audio:record:stop audio:record:done audio:record audio:asr:done
audio:asr:record:done audio:say:stop audio:say:done audio:say audio:speaking:on audio:speaking:off
message message:rejected message:submitted message:undeliverable message:delivered message:seen
conversation:updated
member:invited member:joined member:left member:media member:message:status
rtc:status rtc:transfer rtc:hangup rtc:terminate rtc:answered rtc:ringing rtc:answer
sip:status sip:answered sip:machine sip:hangup sip:ringing sip:amd_machine
custom:* ephemeral
event:delete
""".split()
